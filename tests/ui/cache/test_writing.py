import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from microgpt.checkpoint import load
from microgpt.model import without_weights
from microgpt.ui.cache.writing import engine_of, within_memory
from tests.models import other_weights


def test_concurrent_sessions_share_one_engine(tiny_checkpoint):
    engine_of.clear()
    count = 8
    barrier = threading.Barrier(count)

    def open_session(folder):
        loaded = load(folder)  # its own object with the same weights
        barrier.wait()
        return engine_of(loaded)

    with ThreadPoolExecutor(count) as pool:
        engines = list(pool.map(open_session, [tiny_checkpoint] * count))
    assert len({id(engine) for engine in engines}) == 1
    engines[0].wait()


def test_other_weights_have_another_engine(tiny_checkpoint):
    one = load(tiny_checkpoint)
    assert engine_of(one) is not engine_of(other_weights(one))


def test_a_text_is_shorter_with_a_large_vocabulary(tiny_checkpoint):
    loaded = load(tiny_checkpoint)
    assert within_memory(loaded, 500) == 500
    large = replace(loaded, model=without_weights(replace(loaded.config, vocab_size=4096)))
    assert within_memory(large, 500) == 125 and within_memory(large, 1) == 1

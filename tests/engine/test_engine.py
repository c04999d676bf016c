import gc
import threading
import weakref
from dataclasses import replace

import pytest
import torch

from microgpt.engine import Engine, TorchBackend, compiled
from microgpt.model import GPT
from microgpt.sampling import SamplingConfig
from tests.engine.decoding import all_logits, text_ids
from tests.models import random_model


@pytest.mark.parametrize(
    "changes", [{"residual": False}, {"norm": "none"}, {"norm": "blocks"}], ids=str
)
def test_models_without_some_parts_are_decoded_with_pytorch(tiny_config, changes):
    config = replace(tiny_config, **changes)
    model = random_model(config, seed=0, std=0.1)
    ids = text_ids(config, config.block_size)
    engine = Engine(model)
    engine.wait()
    assert engine.backend == "PyTorch, float32"
    decoded = all_logits(engine.decoder(), ids)
    torch.testing.assert_close(decoded, model(torch.tensor([ids]))[0], atol=1e-4, rtol=0)


def twenty_times_slower(backend):
    def slow(parts):
        starts = [part.cache.length for part in parts]
        for _ in range(20):
            for part, start in zip(parts, starts, strict=True):
                part.cache.length = start
            logits = backend(parts)
        return logits

    return slow


def test_a_slower_backend_is_not_used(half_model):
    engine = Engine(half_model)
    engine.wait()
    assert engine.backend in {"PyTorch, float32", "NumPy, float32"} | {
        f"C, {threads}, float32" for threads in ("1 thread", "2 threads", "4 threads", "8 threads")
    }
    before = engine.backend
    engine._fastest.offer(twenty_times_slower(TorchBackend(half_model)))
    assert engine.backend == before


@pytest.mark.parametrize("norm", ["all", "none"])
def test_an_engine_is_freed_without_the_garbage_collector(tiny_config, norm):
    gc.disable()
    try:
        engine = Engine(GPT(replace(tiny_config, norm=norm)).eval())
        engine.wait()
        assert len(list(engine.write([1], 5, SamplingConfig()))) == 5
        for thread in threading.enumerate():
            if thread.name == "scheduler":
                thread.join()
        model = weakref.ref(engine._model)
        del engine
        assert model() is None
    finally:
        gc.enable()


def test_the_engine_works_without_a_compiler(half_model, monkeypatch, tmp_path):
    monkeypatch.setenv("CC", str(tmp_path / "none"))
    compiled.load_library.cache_clear()
    engine = Engine(half_model)
    engine.wait()
    compiled.load_library.cache_clear()
    assert engine.backend in ("PyTorch, float32", "NumPy, float32")

"""A text is the same whether the scheduler writes it alone or with others."""

import math
import threading
from dataclasses import dataclass

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from microgpt.engine import Decoder, Part, Scheduler, Stream, TorchBackend, backends
from microgpt.engine import scheduler as module
from microgpt.errors import MicroGPTError
from microgpt.generate import generate
from microgpt.model import KVCache, ModelOverflowError
from microgpt.sampling import SamplingConfig
from tests.engine.decoding import make_backend

BACKENDS = ("PyTorch", "NumPy", "C", "C, 2 threads")


def backend_of(model, name):
    if name == "PyTorch":
        return TorchBackend(model)
    return make_backend(model, name.split(",")[0], threads=2 if "2" in name else 1)


class Observed:
    """A backend that calls a function before each pass, with the number of the pass."""

    def __init__(self, backend, before=lambda number: None):
        self.parts: list[int] = []  # in each pass
        self._backend, self._before = backend, before

    def __call__(self, parts):
        self.parts.append(len(parts))
        self._before(len(self.parts) - 1)
        return self._backend(parts)


@dataclass(frozen=True)
class Request:
    prompt: list[int]
    length: int
    config: SamplingConfig
    joins_at: int  # a pass
    leaves_at: int | None = None  # a pass


requests = st.builds(
    Request,
    prompt=st.lists(st.integers(0, 9), min_size=1, max_size=20),
    length=st.integers(1, 40),
    config=st.builds(
        SamplingConfig,
        temperature=st.sampled_from([0.0, 0.7, 1.3]),
        top_k=st.sampled_from([0, 3]),
        top_p=st.sampled_from([1.0, 0.8]),
        seed=st.integers(0, 5),
        exact=st.booleans(),
    ),
    joins_at=st.integers(0, 8),
    leaves_at=st.none() | st.integers(0, 20),
)


def alone(model, backend, tokenizer, request) -> list[int]:
    decoder = Decoder(model, backend)
    return [
        character.token
        for character in generate(
            decoder, tokenizer, request.prompt, request.length, request.config
        )
    ]


@pytest.mark.parametrize("name", BACKENDS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mix=st.lists(requests, min_size=1, max_size=6))
def test_a_text_does_not_depend_on_the_texts_that_join_and_leave(half_model, tokenizer, name, mix):
    backend = backend_of(half_model, name)
    streams: dict[int, Stream] = {}

    def before(number: int) -> None:
        for at, request in enumerate(mix):
            if request.joins_at == number and at not in streams:
                streams[at] = scheduler.write(request.prompt, request.length, request.config)
            if request.leaves_at == number and at in streams:
                streams[at].close()

    scheduler = Scheduler(Observed(backend, before), half_model.config)
    assert len(list(scheduler.write([1], 30, SamplingConfig()))) == 30  # so that all others join
    for at, request in enumerate(mix):
        tokens = [drawn.token for drawn in streams[at]]
        expected = alone(half_model, backend, tokenizer, request)
        assert tokens == (expected if request.leaves_at is None else expected[: len(tokens)])


@pytest.mark.parametrize("name", BACKENDS)
def test_the_logits_of_a_batch_have_the_bits_of_a_single_text(half_model, name):
    backend, config = backend_of(half_model, name), half_model.config
    generator = torch.Generator().manual_seed(2)
    texts = torch.randint(config.vocab_size, (9, config.block_size), generator=generator).tolist()

    def run(chosen):
        caches = [KVCache(config) for _ in chosen]
        backend([Part(cache, ids[:-3]) for cache, ids in zip(caches, chosen, strict=True)])
        return torch.stack(
            [
                backend([Part(cache, [ids[at]]) for cache, ids in zip(caches, chosen, strict=True)])
                for at in (-3, -2, -1)
            ]
        )  # (3, N, V)

    together = run(texts)
    for at, ids in enumerate(texts):
        assert torch.equal(together[:, at], run([ids])[:, 0])


def test_an_owner_with_several_texts_has_one_turn_in_a_pass(half_model):
    streams = []

    def before(number: int) -> None:
        if number == 0:
            for owner in ("many", "many", "many", "one"):
                streams.append(scheduler.write([1], 9, SamplingConfig(), owner))

    backend = Observed(TorchBackend(half_model), before)
    scheduler = Scheduler(backend, half_model.config)
    list(scheduler.write([1], 1, SamplingConfig()))
    assert [len(list(stream)) for stream in streams] == [9, 9, 9, 9]
    # While both owners write, a pass has a text of each; later the three texts share each pass.
    assert backend.parts == [1] + 9 * [2] + 6 * [3]


def test_texts_beyond_the_slots_wait_and_are_all_written(half_model, tokenizer, monkeypatch):
    monkeypatch.setattr(backends, "CACHE_BYTES", 2 * KVCache.size_in_bytes(half_model.config))
    backend = TorchBackend(half_model)
    mix = [Request([1], 50, SamplingConfig(seed=seed), joins_at=0) for seed in range(5)]
    streams, have_slots = [], []

    def before(number: int) -> None:
        if number == 0:
            streams.extend(scheduler.write(r.prompt, r.length, r.config) for r in mix)
        have_slots.append([stream.cache is not None for stream in streams])

    observed = Observed(backend, before)
    scheduler = Scheduler(observed, half_model.config)
    list(scheduler.write([1], 1, SamplingConfig()))
    for stream, request in zip(streams, mix, strict=True):
        assert [drawn.token for drawn in stream] == alone(half_model, backend, tokenizer, request)
    assert have_slots[1] == [True, True, False, False, False]
    assert max(observed.parts) == 2


def test_an_error_reaches_every_consumer_and_later_texts_are_written(half_model):
    def before(number: int) -> None:
        if number == 3:
            raise MemoryError("no memory")

    scheduler = Scheduler(Observed(TorchBackend(half_model), before), half_model.config)
    stream, drawn = scheduler.write([1], 9, SamplingConfig()), []
    with pytest.raises(MemoryError, match="no memory"):
        for each in stream:
            drawn.append(each)
    assert len(drawn) == 3
    assert len(list(scheduler.write([1], 9, SamplingConfig()))) == 9


def test_a_text_whose_logits_overflow_ends_alone(half_model):
    backend = TorchBackend(half_model)

    def compute(parts):
        logits = backend(parts).clone()
        for row, part in enumerate(parts):
            if part.ids == [9, 9]:
                logits[row] = math.inf
        return logits

    scheduler = Scheduler(compute, half_model.config)
    good = scheduler.write([1], 40, SamplingConfig())
    bad = scheduler.write([9, 9], 40, SamplingConfig())
    with pytest.raises(ModelOverflowError):
        list(bad)
    assert len(list(good)) == 40


def test_a_text_pauses_until_its_consumer_takes_its_tokens(half_model, monkeypatch):
    monkeypatch.setattr(module, "MAX_READY", 5)
    scheduler = Scheduler(TorchBackend(half_model), half_model.config)
    idle = scheduler.write([1], 40, SamplingConfig())
    assert len(list(scheduler.write([1], 40, SamplingConfig()))) == 40
    assert len(idle.ready) == 5
    assert len(list(idle)) == 40


def test_a_closed_text_ends_and_the_last_one_ends_the_thread(half_model):
    scheduler = Scheduler(TorchBackend(half_model), half_model.config)
    stream = scheduler.write([1], 10**9, SamplingConfig())
    tokens = iter(stream)
    next(tokens)
    [thread] = [each for each in threading.enumerate() if each.name == "scheduler"]
    stream.close()
    thread.join()
    assert scheduler.texts == 0
    assert len(list(scheduler.write([1], 0, SamplingConfig()))) == 0


def test_a_text_that_gets_no_thread_is_an_error_and_the_next_one_is_written(model, monkeypatch):
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    scheduler = Scheduler(TorchBackend(model), model.config)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(MicroGPTError, match="busy"):
            scheduler.write([1], 3, SamplingConfig())
    assert scheduler.texts == 0
    assert len(list(scheduler.write([1], 3, SamplingConfig()))) == 3

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint
from microgpt.config import PRESETS, GPTConfig
from microgpt.engine import Decoder, Engine, TorchBackend, compiled
from microgpt.generate import generate
from microgpt.model import GPT
from microgpt.sampling import SamplingConfig
from tests.engine.backends import make_backend

BUNDLED = Path(__file__).parents[2] / "assets" / "checkpoint"
BACKENDS = ("NumPy", "C", "C, float32 weights")


@pytest.fixture(scope="module")
def bundled():
    return checkpoint.load(BUNDLED)


def text_ids(config: GPTConfig, count: int) -> list[int]:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(config.vocab_size, (count,), generator=generator).tolist()


def all_logits(decoder: Decoder, ids: list[int]) -> torch.Tensor:
    """(N, V): the first id is read, the rest are decoded one at a time."""
    return torch.stack([decoder.prefill(ids[:1]), *(decoder.step(token) for token in ids[1:])])


@pytest.fixture(scope="module")
def recomputed(bundled) -> tuple[list[int], torch.Tensor]:
    """256 ids that the bundled checkpoint likes, and its logits (256, V), computed all at once."""
    decoder = Decoder(bundled.model)
    ids = [c.token for c in generate(decoder, bundled.tokenizer, [0], 256, SamplingConfig())]
    with torch.inference_mode():
        return ids, bundled.model(torch.tensor([ids]))[0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_decoding_has_the_logits_of_full_recomputation(bundled, recomputed, backend):
    ids, expected = recomputed
    decoded = all_logits(Decoder(bundled.model, make_backend(bundled.model, backend)), ids)
    torch.testing.assert_close(decoded, expected, atol=1e-4, rtol=0)


def written(decoder, tokenizer, length, config) -> list[int]:
    return [c.token for c in generate(decoder, tokenizer, [1], length, config)]


@pytest.mark.parametrize("seed", range(10))
def test_decoding_samples_the_text_of_full_recomputation(half_model, tokenizer, seed):
    config = SamplingConfig(temperature=1.0, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    ids = [1]
    while len(ids) <= half_model.config.block_size:
        probs = half_model(torch.tensor([ids]))[0, -1].double().softmax(dim=0)
        uniform = torch.rand((), dtype=torch.float64, generator=generator)
        ids.append(int((probs.cumsum(dim=0) < uniform).sum()))
    for backend in BACKENDS:
        decoder = Decoder(half_model, make_backend(half_model, backend))
        assert written(decoder, tokenizer, len(ids) - 1, config) == ids[1:], backend


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_all_backends_write_the_same_text_past_the_window(half_model, tokenizer, exact, seed):
    config = SamplingConfig(temperature=0.9, top_k=20, top_p=0.95, seed=seed, exact=exact)
    expected = written(Decoder(half_model), tokenizer, 60, config)
    for backend in BACKENDS:
        decoder = Decoder(half_model, make_backend(half_model, backend))
        assert written(decoder, tokenizer, 60, config) == expected, backend


@pytest.mark.parametrize("threads", [2, 4])
def test_several_threads_compute_the_same_bits_as_one(half_model, threads):
    ids = text_ids(half_model.config, half_model.config.block_size)
    alone, team = (
        all_logits(Decoder(half_model, make_backend(half_model, "C", size)), ids)
        for size in (1, threads)
    )
    assert torch.equal(alone, team)


def test_reading_a_text_resets_the_decoder(half_model):
    config = half_model.config
    decoder = Engine(half_model).decoder()
    ids = text_ids(config, config.block_size)
    all_logits(decoder, ids)
    expected = half_model(torch.tensor([ids[3:9]]))[0, -1]
    torch.testing.assert_close(decoder.prefill(ids[3:9]), expected, atol=1e-5, rtol=0)
    expected = half_model(torch.tensor([ids[3:10]]))[0, -1]
    torch.testing.assert_close(decoder.step(ids[9]), expected, atol=1e-4, rtol=0)


def test_a_text_longer_than_the_window_is_refused(half_model):
    decoder = Engine(half_model).decoder()
    window = half_model.config.block_size
    with pytest.raises(ValueError, match="do not fit the window"):
        decoder.prefill([0] * (window + 1))
    decoder.prefill([0] * window)
    with pytest.raises(ValueError, match="is full"):
        decoder.step(0)


@pytest.mark.parametrize(("backend", "threads"), [("NumPy", 1), ("C", 1), ("C", 2)])
def test_concurrent_sessions_write_the_same_texts_as_alone(half_model, tokenizer, backend, threads):
    """Texts written at once, each another, are what each is alone."""
    shared = make_backend(half_model, backend, threads)

    def write(seed: int) -> list[int]:
        config = SamplingConfig(temperature=1.0, seed=seed)
        return written(Decoder(half_model, shared), tokenizer, 100, config)

    alone = [write(seed) for seed in range(4)]
    together: list[list[int]] = [[]] * 4

    def keep(seed: int) -> None:
        together[seed] = write(seed)

    threads = [threading.Thread(target=keep, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone
    assert len({tuple(text) for text in alone}) == 4


VARIANTS = {
    "no residual": {"residual": False},
    "no norm": {"norm": "none"},
    "no last norm": {"norm": "blocks"},
    "narrow MLP": {"mlp_ratio": 1},
    "one head": {"n_head": 1},
    "heads of 4": {"n_head": 6},
    "one layer, one position": {"n_layer": 1, "block_size": 1},
    "odd sizes": {"n_embd": 21, "n_head": 3, "vocab_size": 7, "mlp_ratio": 3},
    **{name: PRESETS[name].model.to_dict() for name in ("phase1", "phase3", "phase4")},
}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_every_architecture_is_decoded(tiny_config, changes):
    config = replace(tiny_config, **changes)
    torch.manual_seed(0)
    variant = GPT(config).eval().requires_grad_(False)
    ids = text_ids(config, config.block_size)
    engine = Engine(variant)
    engine.wait()
    decoded = all_logits(engine.decoder(), ids)
    torch.testing.assert_close(decoded, variant(torch.tensor([ids]))[0], atol=1e-4, rtol=0)
    if not config.residual or config.norm != "all":
        assert engine.backend == "PyTorch, float32"


def _twenty_times(backend):
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
    engine._use_if_faster(_twenty_times(TorchBackend(half_model)))
    assert engine.backend == before


def test_the_engine_works_without_a_compiler(half_model, monkeypatch, tmp_path):
    monkeypatch.setenv("CC", str(tmp_path / "none"))
    compiled.load_library.cache_clear()
    engine = Engine(half_model)
    engine.wait()
    compiled.load_library.cache_clear()
    assert engine.backend in ("PyTorch, float32", "NumPy, float32")

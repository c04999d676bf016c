from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint
from microgpt.checkpoint.weights import assign_weights, half_precision
from microgpt.config import ACTIVATIONS
from microgpt.engine import Decoder, Part, TorchBackend, backends, seconds
from microgpt.engine.compiled import compiled_backend
from microgpt.generate import generate
from microgpt.model import KVCache
from microgpt.sampling import SamplingConfig
from microgpt.training.presets import PRESETS
from tests.engine.decoding import BACKENDS, all_logits, make_backend, text_ids
from tests.models import OTHER_SHAPES, random_model

BUNDLED = Path(__file__).parents[2] / "assets" / "checkpoint"


@pytest.fixture(scope="module")
def bundled():
    return checkpoint.load(BUNDLED)


@pytest.fixture(scope="module")
def recomputed(bundled) -> tuple[list[int], torch.Tensor]:
    """256 ids that the bundled checkpoint wrote, and its logits (256, V) from a single pass."""
    decoder = Decoder(bundled.model)
    ids = [c.token for c in generate(decoder, bundled.tokenizer, [0], 256, SamplingConfig())]
    with torch.inference_mode():
        return ids, bundled.model(torch.tensor([ids]))[0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_decoding_has_the_logits_of_full_recomputation(bundled, recomputed, backend):
    ids, expected = recomputed
    decoded = all_logits(Decoder(bundled.model, make_backend(bundled.model, backend)), ids)
    torch.testing.assert_close(decoded, expected, atol=1e-4, rtol=0)


def generated_ids(decoder, tokenizer, length, config) -> list[int]:
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
        assert generated_ids(decoder, tokenizer, len(ids) - 1, config) == ids[1:], backend


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_all_backends_write_the_same_text_past_the_window(half_model, tokenizer, exact, seed):
    config = SamplingConfig(temperature=0.9, top_k=20, top_p=0.95, seed=seed, exact=exact)
    expected = generated_ids(Decoder(half_model), tokenizer, 60, config)
    for backend in BACKENDS:
        decoder = Decoder(half_model, make_backend(half_model, backend))
        assert generated_ids(decoder, tokenizer, 60, config) == expected, backend


@pytest.mark.parametrize("threads", [2, 4])
def test_several_threads_compute_the_same_bits_as_one(half_model, threads):
    ids = text_ids(half_model.config, half_model.config.block_size)
    alone, team = (
        all_logits(Decoder(half_model, make_backend(half_model, "C", size)), ids)
        for size in (1, threads)
    )
    assert torch.equal(alone, team)


@pytest.mark.parametrize(("backend", "threads"), [("NumPy", 1), ("C", 1), ("C", 2)])
def test_concurrent_sessions_write_the_same_texts_as_alone(half_model, tokenizer, backend, threads):
    shared = make_backend(half_model, backend, threads)

    def write(seed: int) -> list[int]:
        config = SamplingConfig(temperature=1.0, seed=seed)
        return generated_ids(Decoder(half_model, shared), tokenizer, 100, config)

    alone = [write(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as sessions:
        together = list(sessions.map(write, range(4)))
    assert together == alone
    assert len({tuple(text) for text in alone}) == 4


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "changes",
    [
        {"mlp_ratio": 1},
        {"n_head": 1},
        {"n_layer": 1, "block_size": 1},
        {"n_embd": 40, "n_head": 5, "vocab_size": 7, "mlp_ratio": 3},
        PRESETS["phase4"].model.to_dict(),
        *OTHER_SHAPES.values(),
    ],
    ids=[
        *("narrow MLP", "one head", "one layer, one position", "odd sizes", "phase4"),
        *OTHER_SHAPES,
    ],
)
def test_every_shape_is_decoded(tiny_config, backend, changes):
    config = replace(tiny_config, **changes)
    model = random_model(config, seed=0, std=0.1)
    assign_weights(model, {name: each.float() for name, each in half_precision(model).items()})
    ids = text_ids(config, config.block_size)
    decoded = all_logits(Decoder(model, make_backend(model, backend)), ids)
    torch.testing.assert_close(decoded, model(torch.tensor([ids]))[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_text_has_the_same_logits_alone_and_in_a_batch(tiny_config, backend, activation):
    model = random_model(replace(tiny_config, activation=activation, qkv_bias=True), 0, std=0.1)
    assign_weights(model, {name: each.float() for name, each in half_precision(model).items()})
    computed = make_backend(model, backend)
    alone, together = ([KVCache(model.config) for _ in range(9)] for _ in range(2))
    for step in range(3):
        tokens = [(5 * text + step) % model.config.vocab_size for text in range(9)]
        parts = [Part(cache, [token]) for cache, token in zip(together, tokens, strict=True)]
        [*batch] = computed(parts)
        for cache, token, logits in zip(alone, tokens, batch, strict=True):
            assert torch.equal(computed([Part(cache, [token])])[0], logits)


@pytest.mark.parametrize("n_head", [6, 8])
def test_head_sizes_that_the_c_backend_lacks_are_decoded_with_numpy(tiny_config, n_head):
    model = random_model(replace(tiny_config, n_head=n_head), seed=0, std=0.1)
    ids = text_ids(model.config, model.config.block_size)
    decoded = all_logits(Decoder(model, make_backend(model, "NumPy")), ids)
    torch.testing.assert_close(decoded, model(torch.tensor([ids]))[0], atol=1e-4, rtol=0)
    assert compiled_backend(model, lambda backend: 1.0) is None


def test_a_pass_in_pytorch_uses_the_head_mask(half_model):
    mask = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    (logits,) = TorchBackend(half_model, mask)([Part(KVCache(half_model.config), [1, 2, 3])])
    expected = half_model(torch.tensor([[1, 2, 3]]), head_mask=mask)[0, -1]
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize(("fitting", "timed"), [(3, 3), (9, 8), (0, 1)])
def test_a_timed_pass_has_no_more_caches_than_fit_in_memory(
    half_model, monkeypatch, fitting, timed
):
    config = half_model.config
    monkeypatch.setattr(backends, "CACHE_BYTES", fitting * KVCache.size_in_bytes(config))
    counts = []
    seconds(lambda parts: counts.append(len(parts)), config, 8)
    assert {*counts} == {timed}

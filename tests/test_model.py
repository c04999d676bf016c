import copy
import dataclasses
import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt.config import ACTIVATIONS, SCORE_SCALES, GPTConfig
from microgpt.model import GPT, KVCache, dropout, without_weights
from microgpt.training.presets import PRESETS
from tests.models import OTHER_SHAPES, functional_logits, random_model


@pytest.fixture
def ids(model: GPT) -> Tensor:
    """Two full windows of token ids, (2, 16)."""
    generator = torch.Generator().manual_seed(1)
    shape = (2, model.config.block_size)
    return torch.randint(model.config.vocab_size, shape, generator=generator)


def normalised(x: Tensor, weights: dict[str, Tensor], name: str) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def expected_outputs(model: GPT, ids: list[int]) -> tuple[Tensor, Tensor]:
    """Compute the model from its weights, head by head and position by position.

    Returns the logits (T, V) and the attention weights (L, H, T, T).
    """
    config, w = model.config, model.state_dict()
    size, count = config.head_size, len(ids)
    x = torch.stack(
        [
            w["token_embedding.weight"][token] + w["position_embedding.weight"][at]
            for at, token in enumerate(ids)
        ]
    )  # (T, C)
    maps = torch.zeros(config.n_layer, config.n_head, count, count)
    for layer in range(config.n_layer):
        block = f"blocks.{layer}."
        x_norm = normalised(x, w, block + "ln_attention")
        q, k, v = (x_norm @ w[block + "attention.qkv.weight"].T).split(config.n_embd, dim=1)
        heads = []
        for head in range(config.n_head):
            part = slice(head * size, (head + 1) * size)
            outputs = []
            for t in range(count):
                scores = [float(q[t, part] @ k[s, part]) / math.sqrt(size) for s in range(t + 1)]
                weights = torch.tensor(scores).softmax(0)
                maps[layer, head, t, : t + 1] = weights
                outputs.append(weights @ v[: t + 1, part])
            heads.append(torch.stack(outputs))
        y = torch.cat(heads, dim=1)
        x = x + y @ w[block + "attention.proj.weight"].T + w[block + "attention.proj.bias"]
        x_norm = normalised(x, w, block + "ln_mlp")
        hidden = (x_norm @ w[block + "mlp.up.weight"].T + w[block + "mlp.up.bias"]).clamp(min=0)
        x = x + hidden @ w[block + "mlp.down.weight"].T + w[block + "mlp.down.bias"]
    return normalised(x, w, "ln_final") @ w["head.weight"].T + w["head.bias"], maps


def test_the_default_model_has_10_788_929_parameters():
    assert without_weights(GPTConfig()).parameter_count() == 10_788_929


def test_every_parameter_has_the_documented_shape(model):
    c, v, t = model.config.n_embd, model.config.vocab_size, model.config.block_size
    expected = {"token_embedding.weight": (v, c), "position_embedding.weight": (t, c)}
    for layer in range(model.config.n_layer):
        block = {
            "ln_attention.weight": (c,),
            "ln_attention.bias": (c,),
            "attention.qkv.weight": (3 * c, c),
            "attention.proj.weight": (c, c),
            "attention.proj.bias": (c,),
            "ln_mlp.weight": (c,),
            "ln_mlp.bias": (c,),
            "mlp.up.weight": (4 * c, c),
            "mlp.up.bias": (4 * c,),
            "mlp.down.weight": (c, 4 * c),
            "mlp.down.bias": (c,),
        }
        expected |= {f"blocks.{layer}.{name}": shape for name, shape in block.items()}
    expected |= {"ln_final.weight": (c,), "ln_final.bias": (c,)}
    expected |= {"head.weight": (v, c), "head.bias": (v,)}
    assert {name: tuple(p.shape) for name, p in model.named_parameters()} == expected


def test_logits_and_attention_equal_an_independent_computation(model, ids):
    logits, maps = model.forward_with_attention(ids)
    assert logits.shape == (2, 16, model.config.vocab_size)
    assert maps.shape == (2, 2, 3, 16, 16)
    for row in range(2):
        expected_logits, expected_maps = expected_outputs(model, ids[row].tolist())
        torch.testing.assert_close(logits[row], expected_logits, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(maps[row], expected_maps, atol=1e-5, rtol=1e-4)


def test_the_logits_of_all_options_equal_an_independent_computation(tiny_config):
    config = dataclasses.replace(tiny_config, n_layer=1)
    ids = [3, 1, 4, 1, 5, 9, 2, 6]
    switches = ("tied", "norm_bias", "qkv_bias", "linear_bias", "head_bias")
    options = {"activation": ACTIVATIONS, "score_scale": SCORE_SCALES}
    options |= dict.fromkeys(switches, (True, False))
    for values in itertools.product(*options.values()):
        chosen = dict(zip(options, values, strict=True))
        model = random_model(dataclasses.replace(config, **chosen), seed=3, std=0.3)
        found, expected = model(torch.tensor([ids]))[0], functional_logits(model, ids)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4, msg=str(chosen))


@pytest.mark.parametrize("name", OTHER_SHAPES)
def test_the_shapes_of_other_code_have_the_logits_of_an_independent_computation(tiny_config, name):
    model = random_model(dataclasses.replace(tiny_config, **OTHER_SHAPES[name]), seed=4, std=0.3)
    ids = list(range(model.config.block_size))
    logits, maps = model.forward_with_attention(torch.tensor([ids]))
    expected = functional_logits(model, ids)
    torch.testing.assert_close(logits[0], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model(torch.tensor([ids]))[0], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))


def test_a_tied_head_has_the_weight_of_the_embedding_and_starts_with_small_logits(tiny_config):
    config = dataclasses.replace(tiny_config, tied=True)
    model = GPT(config)
    assert model.head.weight is model.token_embedding.weight
    saved = config.vocab_size * config.n_embd
    assert GPT(tiny_config).parameter_count() - model.parameter_count() == saved
    assert copy.deepcopy(model).parameter_count() == model.parameter_count()
    ids = torch.arange(config.block_size)[None]
    model.init_small(torch.Generator().manual_seed(0))
    uniform = math.log(config.vocab_size)
    assert abs(F.cross_entropy(model(ids)[0, :-1], ids[0, 1:]).item() - uniform) < 0.1


def test_fused_attention_equals_attention_with_maps(model, ids):
    logits, _ = model.forward_with_attention(ids)
    torch.testing.assert_close(model(ids), logits, atol=1e-5, rtol=1e-5)
    mask = torch.tensor([[1.0, 0.0, 1.0], [0.5, 1.0, 0.0]])
    logits, _ = model.forward_with_attention(ids, head_mask=mask)
    torch.testing.assert_close(model(ids, head_mask=mask), logits, atol=1e-5, rtol=1e-5)


def test_several_head_masks_give_a_result_each(model, ids):
    block, x = model.block(1), model.embed(ids[:1])
    masks = torch.tensor([[1.0, 0.0, 1.0], [0.5, 1.0, 0.0]])
    found = block(x, head_mask=masks)
    assert len(found) == 2
    for each, mask in zip(found, masks, strict=True):
        torch.testing.assert_close(each, block(x, head_mask=mask)[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1_000, 301), (300_001,)], ids=str)
def test_dropout_zeroes_the_fraction_p_and_keeps_the_mean(shape):
    torch.manual_seed(1)
    x = torch.ones(shape, requires_grad=True)
    y = dropout(x, 0.3)
    kept = y != 0
    # Five standard deviations of a binomial proportion.
    assert abs(kept.float().mean().item() - 0.7) < 5 * math.sqrt(0.3 * 0.7 / x.numel())
    torch.testing.assert_close(y[kept], torch.full_like(y[kept], 1 / 0.7), rtol=1e-4, atol=0)
    y.sum().backward()
    assert torch.equal(x.grad, y)
    # Neighbours share a draw, but not its bits.
    flat = kept.flatten()
    pairs = (flat[:-1] & flat[1:]).float().mean().item()
    assert abs(pairs - 0.7**2) < 0.01


def test_dropout_keeps_the_dtype_and_depends_only_on_the_seed():
    x = torch.ones(2_000, dtype=torch.bfloat16)
    torch.manual_seed(1)
    first, second = dropout(x, 0.5), dropout(x, 0.5)
    torch.manual_seed(1)
    assert torch.equal(dropout(x, 0.5), first)
    assert not torch.equal(first, second)
    assert first.dtype == torch.bfloat16
    assert dropout(x, 0.0) is x


def test_attention_in_blocks_of_queries_equals_fused_attention():
    config = GPTConfig(vocab_size=7, block_size=150, n_layer=2, n_head=2, n_embd=8, dropout=1e-9)
    torch.manual_seed(1)
    model = GPT(config)  # 1e-9 rounds to a dropout of zero, so the two paths give the same
    ids = torch.randint(7, (2, 150))
    torch.testing.assert_close(model.train()(ids), model.eval()(ids), atol=1e-5, rtol=1e-5)
    cache = KVCache(config, batch_size=2)
    model.train()(ids[:, :30], cache=cache)
    later = model(ids[:, 30:], cache=cache)
    torch.testing.assert_close(later, model.eval()(ids)[:, 30:], atol=1e-5, rtol=1e-5)


def test_attention_is_causal_and_each_row_sums_to_1(model, ids):
    _, maps = model.forward_with_attention(ids)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 2, 3, 16))
    assert torch.equal(maps, maps.tril())


@pytest.mark.parametrize("at", [0, 7, 15])
def test_a_character_affects_no_earlier_logits(model, ids, at):
    changed = ids.clone()
    changed[:, at] = (changed[:, at] + 1) % model.config.vocab_size
    before, after = model(ids), model(changed)
    assert torch.equal(before[:, :at], after[:, :at])
    assert bool((before[:, at:] != after[:, at:]).any(dim=-1).all())


@pytest.mark.parametrize("chunks", [[1] * 16, [16], [5, 1, 7, 3], [1, 15]], ids=str)
def test_decoding_with_a_cache_equals_one_pass(model, ids, chunks):
    cache = KVCache(model.config, batch_size=2)
    logits = [model(chunk, cache=cache) for chunk in ids.split(chunks, dim=1)]
    assert cache.length == 16
    torch.testing.assert_close(torch.cat(logits, dim=1), model(ids), atol=1e-4, rtol=1e-4)


def test_a_head_mask_works_with_a_cache(model, ids):
    mask = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    cache = KVCache(model.config, batch_size=2)
    logits = [model(chunk, cache=cache, head_mask=mask) for chunk in ids.split(6, dim=1)]
    expected = model(ids, head_mask=mask)
    torch.testing.assert_close(torch.cat(logits, dim=1), expected, atol=1e-4, rtol=1e-4)


def test_the_model_is_its_embedding_blocks_and_unembedding(model_variant, ids):
    x = model_variant.embed(ids)
    for block in model_variant.blocks:
        x = block(x)
    assert torch.equal(model_variant.unembed(x), model_variant(ids))


def test_a_later_part_is_embedded_at_its_positions(model, ids):
    torch.testing.assert_close(model.embed(ids[:, 5:9], past=5), model.embed(ids)[:, 5:9])


def test_an_empty_input_is_refused(model, ids):
    with pytest.raises(ValueError, match="no token"):
        model(ids[:, :0])


def test_an_input_longer_than_the_window_is_refused(model, ids):
    longer = torch.cat([ids, ids[:, :1]], dim=1)
    message = "17 positions do not fit the window of 16"
    with pytest.raises(ValueError, match=message):
        model(longer)
    with pytest.raises(ValueError, match=message):
        model.forward_with_attention(longer)
    cache = KVCache(model.config, batch_size=2)
    model(ids, cache=cache)
    with pytest.raises(ValueError, match=message):
        model(ids[:, :1], cache=cache)
    assert cache.length == 16


@pytest.mark.parametrize(("layer", "head"), [(0, 0), (0, 2), (1, 1)])
def test_a_masked_head_has_no_output(model, ids, layer, head):
    mask = torch.ones(2, 3)
    mask[layer, head] = 0.0
    without = copy.deepcopy(model)
    size = model.config.head_size
    without.blocks[layer].attention.proj.weight[:, head * size : (head + 1) * size] = 0.0
    torch.testing.assert_close(model(ids, head_mask=mask), without(ids), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(model(ids, head_mask=mask), model(ids), atol=1e-3)


def test_a_head_mask_of_ones_changes_nothing(model, ids):
    assert torch.equal(model(ids, head_mask=torch.ones(2, 3)), model(ids))


def test_a_call_stores_nothing_on_the_model(model, ids):
    def attributes() -> list[tuple[str, list[str], list[int]]]:
        return [
            (name, list(module.__dict__), [id(value) for value in module.__dict__.values()])
            for name, module in model.named_modules()
        ]

    before, weights = attributes(), copy.deepcopy(model.state_dict())
    model(ids, cache=KVCache(model.config, batch_size=2), head_mask=torch.ones(2, 3))
    model.forward_with_attention(ids)
    assert attributes() == before
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert not list(model.buffers())


def test_dropout_is_only_used_in_training(model, ids):
    config = GPTConfig(**{**model.config.to_dict(), "dropout": 0.5})
    dropping = GPT(config)
    dropping.load_state_dict(model.state_dict())
    dropping.eval()
    assert torch.equal(dropping(ids), model(ids))
    dropping.train()
    torch.manual_seed(0)
    assert not torch.equal(dropping(ids), dropping(ids))


@pytest.mark.parametrize("maps", [None, []], ids=["fused", "with maps"])
def test_dropout_applies_to_the_attention_weights(model, maps):
    attention = copy.deepcopy(model.blocks[0].attention)
    attention.dropout = 0.5
    x = torch.randn(1, 16, 24, generator=torch.Generator().manual_seed(0))
    whole = attention(x, maps=maps)
    torch.manual_seed(0)
    dropped = attention.train()(x, maps=maps)
    kept = dropped != 0
    # Dropout of the output alone would only have scaled what it kept.
    assert not torch.allclose(dropped[kept] * 0.5, whole[kept], atol=0.1)


def test_a_new_model_predicts_all_characters_alike(tiny_config, ids):
    model = GPT(tiny_config)
    model.init_small(torch.Generator().manual_seed(0))
    logits = model(ids)
    loss = F.cross_entropy(logits.flatten(0, 1), ids.flatten())
    assert loss.item() == pytest.approx(math.log(tiny_config.vocab_size), abs=0.1)
    for name, parameter in model.named_parameters():
        if name.endswith(("proj.weight", "down.weight")) or (
            name.endswith("bias") and "ln_" not in name
        ):
            assert not parameter.any(), name
        elif parameter.ndim == 2:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.2), name


def test_the_generator_determines_the_initial_weights(tiny_config):
    def weights(seed: int) -> Tensor:
        model = GPT(tiny_config)
        model.init_small(torch.Generator().manual_seed(seed))
        return torch.cat([p.flatten() for p in model.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


# The original's counts; without its six LayerNorms of 64 numbers each, phase 2 has that many fewer.
@pytest.mark.parametrize(
    ("preset", "parameters"),
    [("phase3", 42_305), ("phase4", 42_369), ("phase2", 42_305 - 6 * 64), ("seed", 10_788_929)],
)
def test_a_presets_model_has_the_originals_number_of_parameters(preset, parameters):
    assert without_weights(PRESETS[preset].model).parameter_count() == parameters


def test_residual_connections_and_layer_norms_can_be_left_out(tiny_config, ids):
    config = dataclasses.replace(tiny_config, residual=False, norm="none", mlp_ratio=1)
    torch.manual_seed(0)
    model = GPT(config).eval()
    assert not [name for name, _ in model.named_parameters() if "ln_" in name]
    x = model.token_embedding(ids) + model.position_embedding(torch.arange(ids.size(1)))
    for block in model.blocks:
        x = block.mlp.down(F.relu(block.mlp.up(block.attention(x))))
    torch.testing.assert_close(model(ids), model.head(x))


def test_a_new_model_without_residual_connections_depends_on_its_input(tiny_config, ids):
    model = GPT(dataclasses.replace(tiny_config, residual=False))
    model.init_small(torch.Generator().manual_seed(0))
    assert model(ids).std(dim=(0, 1)).max() > 0

import io

import numpy as np
import pytest
import torch

from microgpt.analysis.attention import (
    MAX_BYTES,
    MAX_POSITIONS,
    PackedMaps,
    attention_maps,
    combined,
    from_bytes,
    head_stages,
    in_bytes,
    maps_npz,
    max_positions,
    rollout,
    sharpest_query,
    with_means,
)
from microgpt.config import GPTConfig
from microgpt.model import GPT

IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]


def every_head(model: GPT) -> list[tuple[int, int]]:
    return [(n, h) for n in range(model.config.n_layer) for h in range(model.config.n_head)]


def test_maps_equal_an_independent_computation_from_the_weights(model):
    config, w = model.config, {k: v.double() for k, v in model.state_dict().items()}
    ids = torch.randint(
        config.vocab_size, (config.block_size,), generator=torch.Generator().manual_seed(1)
    )
    size = config.n_embd // config.n_head

    def norm(x, name):
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
        return x * w[f"{name}.weight"] + w[f"{name}.bias"]

    x = w["token_embedding.weight"][ids] + w["position_embedding.weight"][: len(ids)]
    expected = torch.zeros(config.n_layer, config.n_head, len(ids), len(ids), dtype=torch.float64)
    for layer in range(config.n_layer):
        name = f"blocks.{layer}"
        y = norm(x, f"{name}.ln_attention")
        outputs = []
        for head in range(config.n_head):
            q, k, v = (
                y @ w[f"{name}.attention.qkv.weight"][at : at + size].T
                for at in (head * size + part * config.n_embd for part in range(3))
            )
            for t in range(len(ids)):
                scores = torch.exp(k[: t + 1] @ q[t] / size**0.5)
                expected[layer, head, t, : t + 1] = scores / scores.sum()
            outputs.append(expected[layer, head] @ v)
        proj = w[f"{name}.attention.proj.weight"]
        x = x + torch.cat(outputs, -1) @ proj.T + w[f"{name}.attention.proj.bias"]
        y = norm(x, f"{name}.ln_mlp")
        y = torch.relu(y @ w[f"{name}.mlp.up.weight"].T + w[f"{name}.mlp.up.bias"])
        x = x + y @ w[f"{name}.mlp.down.weight"].T + w[f"{name}.mlp.down.bias"]
    logits = norm(x, "ln_final") @ w["head.weight"].T + w["head.bias"]

    maps = attention_maps(model, ids.tolist())
    torch.testing.assert_close(maps.weights.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(maps.logits.double(), logits, atol=1e-4, rtol=0)


def test_a_single_character_attends_to_itself(model):
    maps = attention_maps(model, [0])
    assert torch.equal(maps.weights, torch.ones_like(maps.weights))


@pytest.mark.parametrize("length", [1, 2, 16])
def test_packed_maps_are_the_same_maps_in_half_the_memory(model, length):
    maps = attention_maps(model, list(range(length)))
    packed = PackedMaps.of(maps)
    assert packed.weights.shape == (2, 3, length * (length + 1) // 2)
    assert packed.weights.is_contiguous()
    assert torch.equal(packed.unpacked().weights, maps.weights)
    assert torch.equal(packed.unpacked().logits, maps.logits)


def test_an_empty_or_too_long_text_has_no_maps(model):
    with pytest.raises(ValueError, match="no token"):
        attention_maps(model, [])
    with pytest.raises(ValueError, match="window"):
        attention_maps(model, [0] * (model.config.block_size + 1))


ONE_HEAD = {"block_size": 4096, "n_layer": 1, "n_head": 1}


def test_the_longest_text_keeps_the_maps_within_the_limit():
    assert max_positions(GPTConfig()) == 256
    for shape in ({"n_layer": 48, "n_head": 64, "n_embd": 2048}, {"block_size": 4096}, ONE_HEAD):
        config = GPTConfig(**shape)
        longest = max_positions(config)
        assert 1 <= longest <= MAX_POSITIONS
        assert 4 * config.n_layer * config.n_head * longest**2 <= MAX_BYTES


def test_the_stages_of_every_head_end_in_its_weights(model_variant):
    weights = attention_maps(model_variant, IDS).weights
    config = model_variant.config
    size = config.n_embd if config.score_scale == "n_embd" else config.n_embd // config.n_head
    for layer, head in every_head(model_variant):
        stages = head_stages(model_variant, IDS, layer, head)
        torch.testing.assert_close(stages.weights, weights[layer, head])
        torch.testing.assert_close(stages.scaled, stages.raw / size**0.5)
        for t in range(len(IDS)):
            row = stages.scaled[t, : t + 1].softmax(dim=0)
            torch.testing.assert_close(stages.weights[t, : t + 1], row)


def test_the_output_of_a_head_is_the_effect_of_its_ablation(model_variant):
    x = model_variant.embed(torch.tensor([IDS]))
    for layer, block in enumerate(model_variant.blocks):
        attention, x_norm = block.attention, block.ln_attention(x)
        whole = attention(x_norm)
        for head in range(model_variant.config.n_head):
            mask = torch.ones(model_variant.config.n_head)
            mask[head] = 0
            effect = (whole - attention(x_norm, head_mask=mask))[0]
            stages = head_stages(model_variant, IDS, layer, head)
            torch.testing.assert_close(stages.output, effect, atol=1e-5, rtol=1e-5)
            contributions = stages.weights[..., None] * stages.values  # (T, T, C)
            torch.testing.assert_close(contributions.sum(dim=1), effect, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(stages.contributions, contributions.norm(dim=-1))
        x = block(x)


def test_stages_do_not_change_the_model(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    names = {name: set(vars(module)) for name, module in model.named_modules()}
    head_stages(model, IDS, 1, 2)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert {name: set(vars(module)) for name, module in model.named_modules()} == names


@pytest.mark.parametrize(
    ("ids", "message"), [([], "no token"), ([0] * 17, "17 positions do not fit")]
)
def test_an_empty_or_too_long_text_has_no_stages(model, ids, message):
    with pytest.raises(ValueError, match=message):
        head_stages(model, ids, 0, 0)


@pytest.mark.parametrize(("layer", "head"), [(2, 0), (0, 3)])
def test_a_missing_head_has_no_stages(model, layer, head):
    with pytest.raises(IndexError):
        head_stages(model, [0], layer, head)


@pytest.mark.parametrize("residual", [True, False])
def test_rollout_is_causal_and_each_row_sums_to_1(model, residual):
    weights = attention_maps(model, IDS).weights
    rolled = rollout(weights, residual)
    assert rolled.shape == (2, len(IDS), len(IDS))
    torch.testing.assert_close(rolled.sum(dim=-1), torch.ones(2, len(IDS)))
    assert not rolled.triu(1).any()
    eye = torch.eye(len(IDS))
    first, second = (0.5 * w.mean(0) + 0.5 * eye if residual else w.mean(0) for w in weights)
    torch.testing.assert_close(rolled, torch.stack([first, second @ first]))


def test_rollout_of_previous_token_heads_goes_back_one_position_per_layer():
    previous = torch.eye(4)[[0, 0, 1, 2]]  # row t attends to t - 1
    rolled = rollout(previous.expand(3, 2, 4, 4), residual=False)
    assert rolled[:, 3].tolist() == [[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]
    with_residual = rollout(previous.expand(3, 2, 4, 4))
    assert with_residual[1, 3].tolist() == [0, 0.25, 0.5, 0.25]


def test_heads_are_combined_by_mean_or_maximum(model):
    weights = attention_maps(model, IDS).weights
    heads = [(0, 0), (1, 2)]
    first, second = weights[0, 0], weights[1, 2]
    torch.testing.assert_close(combined(weights, heads, "mean"), (first + second) / 2)
    assert torch.equal(combined(weights, heads, "maximum"), torch.maximum(first, second))
    assert torch.equal(combined(weights, heads[:1], "mean"), first)
    with pytest.raises(ValueError, match="no head"):
        combined(weights, [], "mean")


def test_all_maps_are_written_to_one_file_and_read_back(model):
    weights, text = attention_maps(model, IDS).weights, "a \n'é<\tß漢z"
    content = maps_npz(weights, text, "ab" * 32)
    assert maps_npz(weights, text, "ab" * 32) == content
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        assert file["weights"].dtype == np.float32
        np.testing.assert_array_equal(file["weights"], weights.numpy())
        assert file["layers"].tolist() == [1, 2] and file["heads"].tolist() == [1, 2, 3]
        assert file["positions"].tolist() == list(range(1, 11))
        assert "".join(file["characters"]) == text and len(file["characters"]) == 10
        assert file["weights_sha256"].item() == "ab" * 32


def test_means_are_added_as_a_column_and_a_row():
    weights = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    grid = with_means(weights)
    assert grid.shape == (3, 4, 4, 4)
    torch.testing.assert_close(grid[:2, :3], weights)
    torch.testing.assert_close(grid[:2, 3], weights.mean(dim=1))
    torch.testing.assert_close(grid[2, 3], weights.mean(dim=(0, 1)))
    assert not grid[2, :3].any()


def test_weights_become_bytes():
    weights = torch.tensor([[0.0, 0.25], [0.7, 1.0]])
    assert in_bytes(weights).tolist() == [[0, 64], [178, 255]]
    assert in_bytes(weights).dtype == torch.uint8
    again = from_bytes(in_bytes(weights).numpy())
    np.testing.assert_allclose(again, weights, atol=1 / 510 + 1e-6)


def test_the_sharpest_query_attends_to_one_earlier_character_of_a_long_text():
    weights = np.array(
        [[1.0, 0, 0, 0], [1.0, 0, 0, 0], [0.5, 0.3, 0.2, 0], [0.1, 0.2, 0.1, 0.6]], np.float32
    )
    assert sharpest_query(weights) == 2, "not query 1, which has one key, nor 3, which has itself"
    assert sharpest_query(np.ones((1, 1))) == 0
    late = np.array(
        [[1, 0, 0, 0], [1, 0, 0, 0], [0.1, 0.9, 0, 0], [0.2, 0.3, 0.4, 0.1]], np.float32
    )
    before = np.eye(4, k=-1, dtype=bool)  # the key of each query is the character before
    assert sharpest_query(late, np.arange(4) == 0) == 3 and sharpest_query(late, before) == 2
    assert sharpest_query(late, np.zeros(4, bool)) == 2, "no key has a weight, so all count"

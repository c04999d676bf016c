import pytest
import torch

from microgpt.attention import MOST_BYTES, attention_maps, most_positions
from microgpt.config import GPTConfig


def test_maps_equal_an_independent_computation_from_the_raw_weights(model):
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


def test_one_character_looks_at_itself(model):
    maps = attention_maps(model, [0])
    assert torch.equal(maps.weights, torch.ones_like(maps.weights))


def test_no_text_and_too_long_a_text_are_refused(model):
    with pytest.raises(ValueError, match="no character"):
        attention_maps(model, [])
    with pytest.raises(ValueError, match="window"):
        attention_maps(model, [0] * (model.config.block_size + 1))


def test_the_maps_of_a_text_stay_within_their_bound():
    assert most_positions(GPTConfig()) == 256
    for shape in ({"n_layer": 48, "n_head": 64, "n_embd": 2048}, {"block_size": 4096}):
        config = GPTConfig(**shape)
        most = most_positions(config)
        assert most >= 1 and 4 * config.n_layer * config.n_head * most**2 <= MOST_BYTES

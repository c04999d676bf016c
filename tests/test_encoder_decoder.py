import dataclasses
import math

import pytest
import torch
from torch import Tensor

from microgpt.config import ConfigError, EncoderDecoderConfig
from microgpt.encoder_decoder import EncoderDecoder
from tests.pair_models import CONFIG, random_pair_model

SOURCE = [5, 9, 3, 7, 7, 12, 20]
TARGET = [0, 4, 8, 6]


@pytest.fixture(scope="module")
def model() -> EncoderDecoder:
    return random_pair_model()


def normalised(x: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def attended(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> tuple[Tensor, Tensor]:
    """Attention head by head and query by query: the outputs (T, C) and the weights (H, T, S)."""
    size = CONFIG.head_size
    maps = torch.zeros(CONFIG.n_head, len(q), len(k))
    out = torch.zeros_like(q)
    for head in range(CONFIG.n_head):
        part = slice(head * size, (head + 1) * size)
        for t in range(len(q)):
            seen = t + 1 if causal else len(k)
            scores = [float(q[t, part] @ k[s, part]) / math.sqrt(size) for s in range(seen)]
            maps[head, t, :seen] = torch.tensor(scores).softmax(0)
            out[t, part] = maps[head, t] @ v[:, part]
    return out, maps


def mlp(x: Tensor, w: dict[str, Tensor], block: str) -> Tensor:
    x = normalised(x, w, f"{block}.ln_mlp")
    hidden = (x @ w[f"{block}.mlp.up.weight"].T + w[f"{block}.mlp.up.bias"]).clamp(min=0)
    return hidden @ w[f"{block}.mlp.down.weight"].T + w[f"{block}.mlp.down.bias"]


def projected(y: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    return y @ w[f"{name}.proj.weight"].T + w[f"{name}.proj.bias"]


def expected(model: EncoderDecoder, source: list[int], target: list[int]) -> tuple[Tensor, ...]:
    """The model computed from its weights: logits (T, V) and the three kinds of maps (L, H, …)."""
    w, c = model.state_dict(), CONFIG.n_embd
    encoder, decoder, cross = [], [], []
    x = w["token_embedding.weight"][source] + w["source_position_embedding.weight"][: len(source)]
    for layer in range(CONFIG.n_layer):
        block = f"encoder_blocks.{layer}"
        normed = normalised(x, w, f"{block}.ln_attention")
        k, v = (normed @ w[f"{block}.attention.kv.weight"].T).split(c, dim=1)
        q = normed @ w[f"{block}.attention.q.weight"].T
        y, weights = attended(q, k, v, causal=False)
        encoder.append(weights)
        x = x + projected(y, w, f"{block}.attention")
        x = x + mlp(x, w, block)
    encoded = normalised(x, w, "ln_encoder")
    x = w["token_embedding.weight"][target] + w["position_embedding.weight"][: len(target)]
    for layer in range(CONFIG.n_layer):
        block = f"blocks.{layer}"
        normed = normalised(x, w, f"{block}.ln_attention")
        q, k, v = (normed @ w[f"{block}.attention.qkv.weight"].T).split(c, dim=1)
        y, weights = attended(q, k, v, causal=True)
        decoder.append(weights)
        x = x + projected(y, w, f"{block}.attention")
        q = normalised(x, w, f"{block}.ln_cross") @ w[f"{block}.cross.q.weight"].T
        k, v = (encoded @ w[f"{block}.cross.kv.weight"].T).split(c, dim=1)
        y, weights = attended(q, k, v, causal=False)
        cross.append(weights)
        x = x + projected(y, w, f"{block}.cross")
        x = x + mlp(x, w, block)
    logits = normalised(x, w, "ln_final") @ w["head.weight"].T + w["head.bias"]
    return logits, *(torch.stack(each) for each in (encoder, decoder, cross))


def test_logits_and_the_three_kinds_of_maps_equal_a_computation_position_by_position(model):
    logits, maps = model.forward_with_attention(torch.tensor([SOURCE]), torch.tensor([TARGET]))
    for found, wanted in zip((logits, *maps), expected(model, SOURCE, TARGET), strict=True):
        torch.testing.assert_close(found[0], wanted, atol=1e-5, rtol=1e-5)
    plain = model(torch.tensor([SOURCE]), torch.tensor([TARGET]))
    torch.testing.assert_close(plain, logits, atol=1e-5, rtol=1e-5)


def test_padding_changes_nothing_and_gets_no_attention(model):
    length = len(SOURCE)
    others = [11] * CONFIG.source_size  # a longer source in the same batch
    padded = SOURCE + [1] * (CONFIG.source_size - length)
    mask = torch.ones(2, CONFIG.source_size, dtype=torch.bool)
    mask[0, length:] = False
    source, target = torch.tensor([padded, others]), torch.tensor([TARGET, TARGET])
    logits, maps = model.forward_with_attention(source, target, mask)
    alone, encoder, decoder, cross = expected(model, SOURCE, TARGET)
    torch.testing.assert_close(logits[0], alone, atol=1e-5, rtol=1e-5)
    found = maps.encoder[0, :, :, :length, :length]
    torch.testing.assert_close(found, encoder, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(maps.decoder[0], decoder, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(maps.cross[0, ..., :length], cross, atol=1e-5, rtol=1e-5)
    assert not maps.encoder[0, ..., length:].any()
    assert not maps.cross[0, ..., length:].any()
    source[0, length:] = 3  # whatever the padding holds
    torch.testing.assert_close(model(source, target, mask), logits, atol=1e-5, rtol=1e-5)


def test_the_decoder_does_not_see_later_characters_but_the_encoder_sees_all(model):
    source, target = torch.tensor([SOURCE]), torch.tensor([TARGET])
    logits, maps = model.forward_with_attention(source, target)
    changed = target.clone()
    changed[0, -1] = 9
    again = model(source, changed)
    torch.testing.assert_close(again[:, :-1], logits[:, :-1], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(again[:, -1], logits[:, -1], atol=1e-3)
    assert not maps.decoder.triu(1).any()
    assert bool((maps.encoder > 0).all()) and bool((maps.cross > 0).all())
    last = source.clone()
    last[0, -1] = 2  # the last character of the source changes even the first prediction
    assert not torch.allclose(model(last, target)[:, 0], logits[:, 0], atol=1e-3)


def test_every_row_of_a_map_sums_to_1(model):
    _, maps = model.forward_with_attention(torch.tensor([SOURCE]), torch.tensor([TARGET]))
    for each in maps:
        torch.testing.assert_close(each.sum(-1), torch.ones(each.shape[:-1]))


def test_masking_a_cross_head_is_the_same_as_zeroing_its_columns_of_the_projection(model):
    source, target = torch.tensor([SOURCE]), torch.tensor([TARGET])
    mask = torch.ones(CONFIG.n_layer, CONFIG.n_head)
    mask[1, 2] = 0
    without = random_pair_model()
    size = CONFIG.head_size
    without.blocks[1].cross.proj.weight[:, 2 * size : 3 * size] = 0
    found = model(source, target, cross_head_mask=mask)
    torch.testing.assert_close(found, without(source, target), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(found, model(source, target), atol=1e-3)
    torch.testing.assert_close(
        model(source, target, cross_head_mask=torch.ones_like(mask)), model(source, target)
    )


def test_a_call_leaves_the_model_as_it_was(model):
    before = set(vars(model)), {name: p.clone() for name, p in model.state_dict().items()}
    model.forward_with_attention(torch.tensor([SOURCE]), torch.tensor([TARGET]))
    assert set(vars(model)) == before[0]
    assert all(torch.equal(p, before[1][name]) for name, p in model.state_dict().items())


@pytest.mark.parametrize(
    ("source", "target"), [(0, 1), (1, 0), (CONFIG.source_size + 1, 1), (1, CONFIG.block_size + 1)]
)
def test_texts_that_do_not_fit_are_refused(model, source, target):
    with pytest.raises(ValueError, match="pass 1 to"):
        model(torch.ones(1, source, dtype=torch.int64), torch.ones(1, target, dtype=torch.int64))


def test_every_parameter_gets_a_gradient():
    model = EncoderDecoder(CONFIG)
    source, target = torch.tensor([SOURCE]), torch.tensor([TARGET])
    model(source, target).logsumexp(-1).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_small_weights_make_every_block_the_identity_at_step_0():
    model = EncoderDecoder(CONFIG)
    model.init_small(torch.Generator().manual_seed(0))
    zero = {name for name, p in model.named_parameters() if name.endswith(".proj.weight")}
    assert {f"blocks.{i}.cross.proj.weight" for i in range(CONFIG.n_layer)} < zero
    target = torch.tensor([TARGET])
    x = model.token_embedding(target) + model.position_embedding(torch.arange(len(TARGET)))
    expected = model.head(model.ln_final(x))
    torch.testing.assert_close(model(torch.tensor([SOURCE]), target), expected)


def test_dropout_acts_in_training_only():
    config = dataclasses.replace(CONFIG, dropout=0.5)
    model = EncoderDecoder(config)
    source, target = torch.tensor([SOURCE]), torch.tensor([TARGET])
    model.train()
    assert not torch.allclose(model(source, target), model(source, target))
    model.eval()
    torch.testing.assert_close(model(source, target), model(source, target))


@pytest.mark.parametrize("change", [{"residual": False}, {"norm": "blocks"}, {"norm": "none"}])
def test_options_that_only_a_gpt_has_are_refused(change):
    with pytest.raises(ConfigError, match="of an encoder–decoder is always"):
        dataclasses.replace(EncoderDecoderConfig(), **change)

import io

import numpy as np
import pytest
import torch

from microgpt.analysis.attention import attention_maps
from microgpt.analysis.position import (
    attention_parts,
    attention_vectors,
    embedding_parts,
    mlp_parts,
    mlp_vectors,
    position_at,
    position_npz,
    shares,
)
from microgpt.analysis.residuals import residual_stream
from tests.analysis.recording import record

IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
POSITIONS = [0, 4, len(IDS) - 1]


@pytest.mark.parametrize("at", POSITIONS)
def test_each_vector_is_the_one_of_the_forward_pass(model_variant, at):
    recorded = record(model_variant, IDS)
    found = position_at(model_variant, IDS, residual_stream(model_variant, IDS), at)
    maps = attention_maps(model_variant, IDS).weights
    torch.testing.assert_close(found.token + found.place, found.embedded)
    torch.testing.assert_close(found.norm_final, recorded["ln_final"][at])
    torch.testing.assert_close(found.logits, recorded["head"][at])
    for layer, block in enumerate(found.blocks):
        name = f"blocks.{layer}."
        for field, module in {
            "norm_attention": "ln_attention",
            "attended": "attention",
            "norm_mlp": "ln_mlp",
            "neurons": "mlp.up",
            "computed": "mlp",
            "after": "",
        }.items():
            expected = recorded[(name + module).rstrip(".")][at]
            torch.testing.assert_close(getattr(block, field), expected, rtol=1e-5, atol=1e-4)
        queries = recorded[name + "attention.qkv"][at].chunk(3)[0]
        torch.testing.assert_close(block.queries.flatten(), queries)
        torch.testing.assert_close(block.weights, maps[layer, :, at, : at + 1])
        torch.testing.assert_close(block.scores.softmax(dim=-1), block.weights)
        assert block.active == (recorded[name + "mlp.up"][at] > 0).sum()


def test_a_head_adds_what_the_attention_loses_without_it(model_variant):
    """Ablate each head of the first layer; the later layers then read another stream."""
    found = position_at(model_variant, IDS, residual_stream(model_variant, IDS), 4).blocks[0]
    block = model_variant.blocks[0]
    x = block.ln_attention(model_variant.embed(torch.tensor([IDS])))
    whole = block.attention(x)[0, 4]
    for head in range(model_variant.config.n_head):
        mask = torch.ones(model_variant.config.n_head)
        mask[head] = 0
        without = block.attention(x, head_mask=mask)[0, 4]
        torch.testing.assert_close(found.heads[head], whole - without)


def test_the_parts_sum_to_the_stream_and_their_shares_to_1(model_variant):
    found = position_at(model_variant, IDS, residual_stream(model_variant, IDS), 6)
    assert sum(part.share for part in embedding_parts(found)) == pytest.approx(1)
    for layer, block in enumerate(found.blocks):
        attended = attention_vectors(model_variant, layer, block)
        computed = mlp_vectors(model_variant, layer, block)
        torch.testing.assert_close(attended.sum(dim=0), block.middle)
        torch.testing.assert_close(computed.sum(dim=0), block.after)
        heads, residual = model_variant.config.n_head, model_variant.config.residual
        parts = attention_parts(model_variant, layer, block)
        stream = [("stream", None)] if residual else []
        bias = [("bias", None)] * model_variant.config.linear_bias
        names = [*stream, *(("head", head) for head in range(heads)), *bias]
        assert [(part.name, part.head) for part in parts] == names
        assert [part.length for part in parts] == pytest.approx(attended.norm(dim=1).tolist())
        assert sum(part.share for part in parts) == pytest.approx(1, abs=1e-5)
        parts = mlp_parts(model_variant, layer, block)
        assert [part.name for part in parts] == [*(["stream"] if residual else []), "mlp"]
        assert sum(part.share for part in parts) == pytest.approx(1, abs=1e-5)


def test_a_share_is_negative_for_a_part_against_the_sum():
    parts = torch.tensor([[3.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    total = parts.sum(dim=0)  # (2, 1)
    torch.testing.assert_close(shares(parts, total), torch.tensor([6, -2, 1]).double() / 5)
    assert shares(torch.zeros(2, 3), torch.zeros(3)).tolist() == [0, 0]


def test_a_position_after_the_text_is_refused(model):
    with pytest.raises(IndexError):
        position_at(model, IDS, residual_stream(model, IDS), len(IDS))


def test_a_position_keeps_neither_the_stream_nor_the_model(model_variant):
    found = position_at(model_variant, IDS, residual_stream(model_variant, IDS), 6)
    vectors = [each for each in vars(found).values() if isinstance(each, torch.Tensor)]
    vectors += [each for block in found.blocks for each in vars(block).values()]
    stored = {each.untyped_storage().data_ptr(): each.untyped_storage() for each in vectors}
    assert sum(map(len, stored.values())) <= sum(each.nbytes for each in vectors)


def test_the_npz_holds_every_number(model):
    found = position_at(model, IDS, residual_stream(model, IDS), 4)
    file = np.load(io.BytesIO(position_npz(found, "a text", 4, "ab" * 32)))
    assert file["position"] == 5 and file["text"] == "a text"
    assert file["weights_sha256"] == "ab" * 32
    np.testing.assert_array_equal(file["logits"], found.logits)
    np.testing.assert_array_equal(file["neurons"][1], found.blocks[1].neurons)
    np.testing.assert_array_equal(file["weights"][0], found.blocks[0].weights)
    assert len(file["heads"]) == model.config.n_layer

import torch

from microgpt.analysis.residuals import residual_stream

IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]


def test_each_point_adds_what_its_attention_or_mlp_computes(model_variant):
    found = residual_stream(model_variant, IDS)
    positions = model_variant.position_embedding.weight[: len(IDS)]
    torch.testing.assert_close(
        found.points[0], model_variant.token_embedding.weight[IDS] + positions
    )
    for layer, block in enumerate(model_variant.blocks):
        at, middle, after = found.points[2 * layer : 2 * layer + 3]
        attended = block.attention(block.ln_attention(at[None]))[0]
        computed = block.mlp(block.ln_mlp(middle))
        if block.residual:
            attended, computed = at + attended, middle + computed
        torch.testing.assert_close(middle, attended)
        torch.testing.assert_close(after, computed)
    assert len(found.points) == 2 * model_variant.config.n_layer + 1


def test_the_logits_are_those_of_the_forward_pass(model_variant):
    logits = model_variant(torch.tensor([IDS]))[0]
    assert torch.equal(residual_stream(model_variant, IDS).logits, logits)


def test_the_keys_and_values_are_those_of_each_layer(model_variant):
    found = residual_stream(model_variant, IDS)
    for layer, block in enumerate(model_variant.blocks):
        x = block.ln_attention(found.points[2 * layer])
        _, keys, values = block.attention.project_qkv(x[None])
        torch.testing.assert_close(found.keys[layer], keys[0])
        torch.testing.assert_close(found.values[layer], values[0])

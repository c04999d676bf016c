import pytest
import torch

from microgpt.analysis.explain import EXPLAINED, Source, explain
from microgpt.analysis.explanation import Number
from microgpt.analysis.position import attention_parts, mlp_parts, position_at
from microgpt.analysis.residuals import layer_norm_statistics, residual_stream
from tests.analysis.recording import record

IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
AT = 6
SHOWN = 4


def source_in(model):
    stream = residual_stream(model, IDS)
    return Source(model, stream, AT, position_at(model, IDS, stream, AT))


def numbers(model, recorded):
    """Every number that can be explained, with its value from the recorded forward pass."""
    config = model.config
    points = residual_stream(model, IDS).points
    for point in range(2 * config.n_layer + 1):
        yield Number("length", index=point), points[point, AT].norm()
    for channel in range(config.n_embd):
        yield Number("embedding", index=channel), points[0, AT, channel]
        yield Number("norm_final", index=channel), recorded["ln_final"][AT, channel]
    for token in range(config.vocab_size):
        yield Number("logit", index=token), recorded["head"][AT, token]
    found = position_at(model, IDS, residual_stream(model, IDS), AT)
    for layer, block in enumerate(found.blocks):
        name = f"blocks.{layer}"
        vectors = {
            "norm_attention": recorded[f"{name}.ln_attention"][AT],
            "attended": recorded[f"{name}.attention.proj"][AT],
            "middle": points[2 * layer + 1, AT],
            "norm_mlp": recorded[f"{name}.ln_mlp"][AT],
            "neuron": model.blocks[layer].mlp.activation(recorded[f"{name}.mlp.up"][AT]),
            "computed": recorded[f"{name}.mlp.down"][AT],
            "after": points[2 * layer + 2, AT],
        }
        for kind, vector in vectors.items():
            for index, value in enumerate(vector):
                yield Number(kind, layer, index=index), value
        qkv = recorded[f"{name}.attention.qkv"].chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (config.n_head, -1)) for part in qkv)  # (T, H, head_size)
        for head in range(config.n_head):
            scores = k[: AT + 1, head] @ q[AT, head] * config.score_divisor**-0.5
            weights = scores.softmax(dim=0)
            for at in range(AT + 1):
                yield Number("score", layer, head, at), scores[at]
                yield Number("weight", layer, head, at), weights[at]
            mixed = weights @ v[: AT + 1, head]
            for channel in range(config.head_size):
                yield Number("query", layer, head, channel), q[AT, head, channel]
                yield Number("mixed", layer, head, channel), mixed[channel]
        added = [part for part in attention_parts(model, layer, block) if part.name != "stream"]
        yield Number("attended_share", layer), sum(part.share for part in added)
        for kind, parts in {
            "attention_share": attention_parts(model, layer, block),
            "mlp_share": mlp_parts(model, layer, block),
        }.items():
            for index, part in enumerate(parts):
                yield Number(kind, layer, index=index), part.share


def test_the_terms_of_every_number_sum_to_it(model_variant):
    source = source_in(model_variant)
    explained = set()
    for number, value in numbers(model_variant, record(model_variant, IDS)):
        found = explain(source, number)
        assert found.value == pytest.approx(float(value), abs=1e-4), number
        assert found.result == pytest.approx(found.value, abs=1e-4), number
        listed = found.terms[found.largest(SHOWN)].sum().item()
        assert listed + found.rest(SHOWN) + (found.constant or 0) == pytest.approx(found.total), (
            number
        )
        explained.add(number.kind)
    assert explained == set(EXPLAINED)


def test_the_factors_of_a_logit_are_the_final_stream_and_a_row_of_the_head(model):
    source = source_in(model)
    stream, found = source.stream, explain(source, Number("logit", index=7))
    final = model.ln_final(stream.points[-1, AT])
    assert torch.equal(found.left, final.double())
    assert torch.equal(found.right, model.head.weight[7].double())
    assert found.constant == model.head.bias[7].item()


def test_the_factors_of_a_score_are_the_query_and_the_key(model):
    source = source_in(model)
    stream, found = source.stream, explain(source, Number("score", 1, 2, 3))
    x = model.blocks[1].ln_attention(stream.points[2])
    q, k, _ = model.blocks[1].attention.project_qkv(x[None])
    torch.testing.assert_close(found.left, q[0, 2, AT].double(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.right, k[0, 2, 3].double(), rtol=1e-4, atol=1e-5)
    assert found.scale == model.config.head_size**-0.5


def test_a_neuron_that_the_relu_stops_is_0_and_its_sum_is_negative(model):
    source = source_in(model)
    neurons = source.found.blocks[0].neurons
    found = explain(source, Number("neuron", index=int(neurons.argmin())))
    assert found.value == 0 and found.total == pytest.approx(neurons.min().item(), abs=1e-5)


def test_layer_norm_divides_by_the_deviation():
    norm = torch.nn.LayerNorm(4, elementwise_affine=True)
    x = torch.tensor([1.0, 2.0, 3.0, 6.0])
    mean, deviation = layer_norm_statistics(norm, x)
    torch.testing.assert_close((x - mean) / deviation, norm(x).detach())


def test_an_explanation_of_layer_norm_names_the_mean_the_deviation_and_the_scale(model):
    source = source_in(model)
    stream, found = source.stream, explain(source, Number("norm_final", index=3))
    x, norm = stream.points[-1, AT], model.ln_final
    mean, deviation, scale = (found.named[name] for name in ("mean", "deviation", "scale"))
    assert mean == pytest.approx(x.mean().item(), abs=1e-5)
    assert deviation == pytest.approx(x.std(correction=0).item(), rel=1e-4)
    expected = (x[3].item() - mean) * scale / deviation + norm.bias[3].item()
    assert found.value == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "number",
    [
        Number("logit", index=-1),
        Number("logit", index=10_000),
        Number("weight", index=AT + 1),
        Number("query", head=3),
        Number("neuron", layer=2),
    ],
    ids=str,
)
def test_a_number_that_the_model_does_not_have_is_refused(model, number):
    source = source_in(model)
    with pytest.raises(IndexError):
        explain(source, number)

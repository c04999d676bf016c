import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F

from microgpt.analysis.attention import head_stages
from microgpt.analysis.attribution import (
    Contrast,
    Part,
    direct_effects,
    largest,
    neuron_effects,
    parts_of,
    source_effects,
    total_effects,
)
from microgpt.analysis.position import position_at
from microgpt.analysis.residuals import residual_stream
from tests.models import OTHER_SHAPES, random_model

IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
AT = 6


@pytest.fixture(
    params=(
        *({"norm": "blocks"}, {"norm": "none"}, {"n_head": 1}, {}),
        *OTHER_SHAPES.values(),
    ),
    ids=str,
)
def variant(request, tiny_config):
    """The shapes of models with residual connections."""
    return random_model(dataclasses.replace(tiny_config, **request.param), seed=2, std=0.3)


def frozen_logits(model, x, change):
    """The logits (V,) of x + change, with the scale of the final LayerNorm that x has."""
    y = x + change
    if model.config.norm == "all":
        norm = model.ln_final
        y = (y - y.mean()) / (x.var(correction=0) + norm.eps).sqrt() * norm.weight
        y = y if norm.bias is None else y + norm.bias
    return F.linear(y, model.head.weight, model.head.bias)


def outputs(model, points):
    """The vector that each part adds at AT, computed by the modules of the model."""
    found = {
        Part("token embedding"): model.token_embedding.weight[IDS[AT]],
        Part("position embedding"): model.position_embedding.weight[AT],
    }
    for layer, block in enumerate(model.blocks):
        bias = block.attention.proj.bias
        for head, mask in enumerate(torch.eye(model.config.n_head)):
            x = block.ln_attention(points[2 * layer])[None]
            attended = block.attention(x, head_mask=mask)[0, AT]
            found[Part("head", layer, head)] = attended if bias is None else attended - bias
        if bias is not None:
            found[Part("attention bias", layer)] = bias
        found[Part("MLP", layer)] = block.mlp(block.ln_mlp(points[2 * layer + 1]))[AT]
    return found


@pytest.mark.parametrize("against", [7, "mean", None])
@pytest.mark.parametrize("at", [0, AT, len(IDS) - 1])
def test_the_direct_effects_sum_to_the_logits(variant, at, against):
    model, stream = variant, residual_stream(variant, IDS)
    contrast = Contrast(2, against)
    effects = direct_effects(model, position_at(model, IDS, stream, at), contrast)
    logits = model(torch.tensor([IDS]))[0, at].tolist()
    subtracted = {7: logits[7], "mean": sum(logits) / len(logits), None: 0}[against]
    assert effects.sum().item() == pytest.approx(logits[2] - subtracted, abs=1e-4)
    assert len(effects) == len(parts_of(model.config))


def test_a_direct_effect_is_what_a_part_changes_behind_a_frozen_layernorm(variant):
    model, stream = variant, residual_stream(variant, IDS)
    points, position = stream.points, position_at(model, IDS, stream, AT)
    contrast = Contrast(2, 7)
    x = points[-1, AT]
    whole = frozen_logits(model, x, 0)
    effects = direct_effects(model, position, contrast).tolist()
    found = dict(zip(parts_of(model.config), effects, strict=True))
    for part, output in outputs(model, points).items():
        change = whole - frozen_logits(model, x, -output)
        assert found.pop(part) == pytest.approx((change[2] - change[7]).item(), abs=1e-4), part
    biases = {} if model.head.bias is None else {Part("output bias"): model.head.bias}
    if model.config.norm == "all" and model.ln_final.bias is not None:
        biases[Part("LayerNorm bias")] = model.head.weight @ model.ln_final.bias
    for part, bias in biases.items():
        assert found.pop(part) == pytest.approx((bias[2] - bias[7]).item(), abs=1e-5)
    assert not found


def test_a_head_opens_into_the_positions_that_it_attends_to(variant):
    model, stream = variant, residual_stream(variant, IDS)
    points, position = stream.points, position_at(model, IDS, stream, AT)
    contrast = Contrast(2, 7)
    effects = direct_effects(model, position, contrast).tolist()
    x = points[-1, AT]
    for part, effect in zip(parts_of(model.config), effects, strict=True):
        if part.kind != "head":
            continue
        values = stream.values[part.layer, part.head, : AT + 1]
        sources = source_effects(model, position, values, part.layer, part.head, contrast)
        assert len(sources) == AT + 1
        assert sources.sum().item() == pytest.approx(effect, abs=1e-4)
        stages = head_stages(model, IDS, part.layer, part.head)
        for source in range(AT + 1):
            brought = stages.weights[AT, source] * stages.values[source]
            change = frozen_logits(model, x, 0) - frozen_logits(model, x, -brought)
            assert sources[source].item() == pytest.approx((change[2] - change[7]).item(), abs=1e-4)


def test_an_mlp_opens_into_its_neurons_and_its_bias(variant):
    model, stream = variant, residual_stream(variant, IDS)
    points, position = stream.points, position_at(model, IDS, stream, AT)
    contrast = Contrast(2, 7)
    effects = direct_effects(model, position, contrast).tolist()
    found = dict(zip(parts_of(model.config), effects, strict=True))
    for layer, block in enumerate(model.blocks):
        neurons, bias = neuron_effects(model, position, layer, contrast)
        effect = found[Part("MLP", layer)]
        assert neurons.sum().item() + bias == pytest.approx(effect, abs=1e-4)
        # The gradient of the logits by an activation, times the activation.
        activations = block.mlp.activation(block.mlp.up(block.ln_mlp(points[2 * layer + 1, AT])))
        activations = activations.clone().requires_grad_()
        written = activations @ block.mlp.down.weight.T
        logits = frozen_logits(model, points[-1, AT], written - written.detach())
        (logits[2] - logits[7]).backward()
        torch.testing.assert_close(
            neurons, (activations.grad * activations).detach(), rtol=1e-4, atol=1e-5
        )


def ablated(model, part):
    """A copy of a model whose part writes nothing."""
    copied = copy.deepcopy(model)
    copied.head.weight = torch.nn.Parameter(copied.head.weight.clone())  # a tied head stays
    head_size = model.config.n_embd // model.config.n_head
    if part.layer is not None:
        block = copied.blocks[part.layer]
    with torch.no_grad():
        if part.kind == "head":
            columns = slice(part.head * head_size, (part.head + 1) * head_size)
            block.attention.proj.weight[:, columns] = 0
            return copied
        written = {
            "token embedding": lambda: [copied.token_embedding.weight],
            "position embedding": lambda: [copied.position_embedding.weight],
            "attention bias": lambda: [block.attention.proj.bias],
            "MLP": lambda: block.mlp.down.parameters(),
            "LayerNorm bias": lambda: [copied.ln_final.bias],
            "output bias": lambda: [copied.head.bias],
        }
        for parameter in written[part.kind]():
            parameter.zero_()
    return copied


def test_a_total_effect_is_the_change_of_the_logits_without_the_part(variant):
    model, stream = variant, residual_stream(variant, IDS)
    done = []
    effects = total_effects(model, stream, progress=lambda *counts: done.append(counts))
    parts = parts_of(model.config)
    assert len(effects) == len(parts) and done[-1] == (len(parts), len(parts))
    for part, effect in zip(parts, effects, strict=True):
        change = stream.logits - ablated(model, part)(torch.tensor([IDS]))[0]
        torch.testing.assert_close(effect, change, rtol=1e-4, atol=1e-3)
    last = total_effects(model, stream, last_only=True)
    torch.testing.assert_close(last, effects[:, -1:])


def test_batches_of_ablated_models_give_the_same_effects(model, monkeypatch):
    stream = residual_stream(model, IDS)
    effects = total_effects(model, stream)
    monkeypatch.setattr("microgpt.analysis.ablation._POSITIONS_AT_ONCE", 1)
    torch.testing.assert_close(total_effects(model, stream), effects)


def test_a_part_without_a_direct_effect_may_have_a_total_one(induction_model):
    """The induction head writes the prediction; it needs the previous-token head to find it."""
    ids = [0, 1, 2, 0, 1]
    stream = residual_stream(induction_model, ids)
    contrast = Contrast(2, 1)
    position = position_at(induction_model, ids, stream, 4)
    direct = direct_effects(induction_model, position, contrast)
    total = contrast.of(total_effects(induction_model, stream)[:, 4])
    parts = parts_of(induction_model.config)
    previous, induction = (parts.index(Part("head", layer, 0)) for layer in range(2))
    assert direct[induction] == pytest.approx(3, abs=0.01)
    assert total[induction] == pytest.approx(3, abs=0.01)
    assert abs(direct[previous]) < 0.01 and total[previous] > 1


def test_a_model_without_residual_connections_is_refused(tiny_config):
    with pytest.raises(ValueError, match="not a sum of parts"):
        parts_of(dataclasses.replace(tiny_config, residual=False))


def test_the_largest_effects_leave_no_single_one():
    assert largest([1.0, -3.0, 2.0, 0.5], 2) == ([1, 2], 1.5)
    assert largest([1.0, -3.0, 2.0], 2) == ([1, 2, 0], None)
    assert largest([], 2) == ([], None)

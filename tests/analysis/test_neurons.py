"""The neurons of the MLPs, compared with formulas that share no code with the module."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from microgpt.analysis.neurons import (
    activations,
    direct_effect,
    max_scored,
    mlp_inputs,
    reaches_logits,
    strongest,
)
from microgpt.analysis.residuals import residual_stream
from microgpt.config import GPTConfig
from tests.models import random_model

IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]


def hooked(model, ids):
    """The activations of all layers, (L, T, N), caught while the model runs."""
    caught = []
    hooks = [
        block.mlp.down.register_forward_pre_hook(lambda _, args: caught.append(args[0][0]))
        for block in model.blocks
    ]
    model(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return torch.stack(caught)


def test_activations_are_those_of_the_forward_pass(model_variant):
    points = residual_stream(model_variant, IDS).points
    expected = hooked(model_variant, IDS)
    for layer, of_layer in enumerate(expected):
        found = activations(model_variant, points[2 * layer + 1], layer)
        torch.testing.assert_close(found, of_layer)
        one = activations(model_variant, points[2 * layer + 1], layer, neuron=5)
        torch.testing.assert_close(one, of_layer[:, 5])
    assert (expected > 0).any() and (expected <= 0).any()


def test_a_long_text_is_read_in_windows(model_variant):
    ids = [*IDS, *reversed(IDS), *IDS, 7]  # 31, in windows of 16
    inputs = mlp_inputs(model_variant, ids)
    windows = [ids[:16], ids[16:]]
    expected = torch.cat([hooked(model_variant, window) for window in windows], dim=1)
    for layer, of_layer in enumerate(expected):
        torch.testing.assert_close(activations(model_variant, inputs[layer], layer), of_layer)
    with pytest.raises(ValueError, match="at least one"):
        mlp_inputs(model_variant, [])


def test_the_effects_of_a_layers_neurons_sum_to_what_its_mlp_adds_to_the_logits(model_variant):
    """The final LayerNorm is frozen by its own statistics, computed here from the last point."""
    model, config = model_variant, model_variant.config
    points = residual_stream(model, IDS).points
    at = 7

    def frozen(part):
        """The logits that a part of the last point adds, centred."""
        if config.norm == "all":
            mean, deviation = points[-1, at].mean(), points[-1, at].std(unbiased=False)
            whole = F.layer_norm(points[-1, at], (config.n_embd,), eps=model.ln_final.eps)
            scale = (whole * deviation + mean - points[-1, at]).abs().max()
            assert scale < 1e-4  # deviation is the scale that LayerNorm used
            part = model.ln_final.weight * (part - part.mean()) / deviation
        logits = model.head.weight @ part
        return logits - logits.mean()

    for layer, block in enumerate(model.blocks):
        before = points[2 * layer + 1]
        if not reaches_logits(config, layer):
            assert not config.residual and layer < config.n_layer - 1
            with pytest.raises(ValueError, match="residual"):
                direct_effect(model, points[-1, at], layer, 0)
            continue
        values = activations(model, before, layer)[at]
        effects = [
            value * direct_effect(model, points[-1, at], layer, neuron)
            for neuron, value in enumerate(values)
        ]
        added = block.mlp(block.ln_mlp(before[None]))[0, at]
        if block.mlp.down.bias is not None:
            added = added - block.mlp.down.bias
        torch.testing.assert_close(sum(effects), frozen(added), rtol=1e-3, atol=1e-4)


def test_without_the_final_layernorm_an_effect_is_the_change_of_the_logits(tiny_config):
    model = random_model(dataclasses.replace(tiny_config, norm="none"), seed=4, std=0.3)
    points = residual_stream(model, IDS).points
    value = activations(model, points[3], 1, neuron=2)
    at = int(value.argmax())
    with torch.no_grad():
        whole = model(torch.tensor([IDS]))[0, at]
        model.blocks[1].mlp.down.weight[:, 2] = 0
        change = whole - model(torch.tensor([IDS]))[0, at]
    model = random_model(model.config, seed=4, std=0.3)
    effect = value[at] * direct_effect(model, points[-1, at], 1, 2)
    torch.testing.assert_close(effect, change - change.mean(), rtol=1e-3, atol=1e-4)


def test_the_strongest_positions_are_above_zero_and_apart():
    values = [0, 5, 4.0, 0, 3, 0, 0, 1]
    assert strongest(values, 9, apart=1) == [1, 2, 4, 7]
    assert strongest(values, 9, apart=3) == [1, 4, 7]
    assert strongest(values, 2, apart=3) == [1, 4]
    assert strongest([0, 0], 9, apart=1) == []


def test_a_wide_model_is_scored_on_a_shorter_text():
    assert max_scored(GPTConfig()) == 1024
    wide = max_scored(GPTConfig(n_embd=2048, n_head=1, mlp_ratio=16))
    assert 1 <= wide < 1024 and 4 * wide * 16 * 2048 <= 16 * 2**20

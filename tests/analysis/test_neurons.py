"""The neurons of the MLPs, compared with formulas that share no code with the module."""

import dataclasses
import random

import pytest
import torch
import torch.nn.functional as F

from microgpt.analysis.neurons import (
    KINDS,
    MIN_COUNT,
    activations,
    direct_effect,
    kinds_in,
    max_scored,
    mlp_inputs,
    neuron_scores,
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


def test_a_score_counts_the_pairs_of_positions_in_the_right_order():
    generator = torch.Generator().manual_seed(1)
    text = "Ba do\nKe li. Mu NA\nro Si"
    values = F.relu(torch.randn(len(text), 7, generator=generator))
    values[::3] = values[0]  # ties above 0 too
    scores = neuron_scores(values, text)
    assert scores.kinds and scores.positions == len(text)
    for row, kind in enumerate(scores.kinds):
        mask = kinds_in(text)[kind]
        assert scores.counts[row] == sum(mask)
        for neuron in range(values.size(1)):
            inside = [v for v, each in zip(values[:, neuron].tolist(), mask, strict=True) if each]
            others = [v for v, e in zip(values[:, neuron].tolist(), mask, strict=True) if not e]
            wins = sum((a > b) + 0.5 * (a == b) for a in inside for b in others)
            expected = wins / (len(inside) * len(others))
            assert scores.scores[row, neuron].item() == pytest.approx(expected, abs=1e-6)
    for row, best in enumerate(scores.found()):
        assert best.kind == scores.kinds[row]
        assert best.score == scores.scores[row].max() == scores.scores[row, best.neuron]


def test_a_neuron_made_for_a_kind_is_found_far_above_chance():
    choice = random.Random(0)
    text = "".join(choice.choices("abcdeiou ABE.\n", k=400))
    generator = torch.Generator().manual_seed(2)
    values = F.relu(torch.randn(len(text), 50, generator=generator))
    values[:, 31] = torch.tensor([3.0 * char.isupper() for char in text])
    found = {each.kind: each for each in neuron_scores(values, text).found()}
    assert found["capital letters"].neuron == 31 and found["capital letters"].score == 1
    assert 0.5 < found["capital letters"].chance < 0.65
    assert neuron_scores(values, text).clearest() == found["capital letters"]
    # No neuron was made for spaces, so the best of them is as good as chance.
    assert found["spaces"].score == pytest.approx(found["spaces"].chance, abs=0.05)


def test_without_a_kind_that_is_clear_the_clearest_is_a_single_character():
    text = "".join(random.Random(1).choices("abcdeiou ABE.\n", k=400))
    values = F.relu(torch.randn(len(text), 50, generator=torch.Generator().manual_seed(2)))
    values[:, 7] = torch.tensor([float(char == "d") for char in text])
    clearest = neuron_scores(values, text).clearest()
    assert (clearest.kind, clearest.neuron, clearest.score) == ("d", 7, 1)
    assert neuron_scores(values[:2], text[:2]).clearest() is None


def test_the_highest_score_by_chance_grows_with_the_neurons_and_falls_with_the_positions():
    generator = torch.Generator().manual_seed(3)
    values = torch.randn(200, 400, generator=generator)
    text = "ab" * 100
    chance = float(neuron_scores(values, text).chance[0])
    assert float(neuron_scores(values[:, :20], text).chance[0]) < chance
    assert float(neuron_scores(values[:40], text[:40]).chance[0]) > chance


@pytest.mark.parametrize(
    ("kind", "text", "marks"),
    [
        ("capital letters", "A bC.É", "^  ^ ^"),
        ("vowels", "Aé bo", "^^  ^"),
        ("spaces", "a b\nc", " ^   "),
        ("newlines", "a b\nc", "   ^ "),
        ("punctuation", "a, b!", " ^  ^"),
        ("the first character of a line", "ab\ncd\n\ne", "   ^   ^"),
        ("the first letter of a word", "ab cd-e", "^  ^  ^"),
        ("the last letter of a word", "ab cd-e", " ^  ^  "),
        ("names of speakers", "A B:\nc: d\nE:", "^^^       ^ "),
    ],
)
def test_kinds_of_positions(kind, text, marks):
    assert KINDS[kind](text) == [mark == "^" for mark in marks]


def test_each_kind_is_listed_once():
    found = kinds_in("a b\n" * 9)
    assert {"spaces", "newlines", "a", "b"} <= set(found) and not {" ", "\n"} & set(found)


def test_a_kind_is_scored_only_with_enough_positions_of_it_and_enough_others():
    many, few = "a" * MIN_COUNT, "a" * (MIN_COUNT - 1)
    assert "a" in kinds_in(many + "b" * MIN_COUNT) and "a" not in kinds_in(few + "b" * 9)
    assert "a" not in kinds_in("a" * 9 + "b" * (MIN_COUNT - 1))
    assert not kinds_in("ab")
    scores = neuron_scores(torch.ones(2, 3), "ab")
    assert scores.found() == [] and scores.scores.shape == (0, 3)


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

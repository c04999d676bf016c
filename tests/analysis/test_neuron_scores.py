"""The scores of neurons, compared with a count of all pairs of positions."""

import random

import pytest
import torch
import torch.nn.functional as F

from microgpt.analysis.neuron_scores import (
    KINDS,
    MIN_COUNT,
    NeuronScores,
    kinds_in,
    neuron_scores,
)


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


def test_the_kind_of_a_neuron_is_one_that_no_neuron_separates_better():
    chance = torch.tensor([0.9, 0.6, 0.7])
    scores = torch.tensor([[0.98, 0.5, 0.5], [0.95, 1.0, 0.9], [0.7, 0.8, 0.75]])
    made = NeuronScores(100, ["vowels", "h", "e"], [4, 20, 9], scores, chance)
    # Neuron 0 is further above chance for h, but neuron 1 is better at that.
    assert made.kind_of(0).kind == "vowels"
    assert made.kind_of(1).kind == "h" and made.kind_of(2).kind == "h"
    assert [each.neuron for each in made.found()] == [0, 1, 1]

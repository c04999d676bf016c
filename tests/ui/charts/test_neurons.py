"""The chart of the characters that a neuron promotes and suppresses."""

import numpy as np

from microgpt.ui.charts.neurons import MAX_SIDE, promoted


def test_the_characters_that_change_most_are_drawn_the_most_promoted_first():
    effects = np.array([0.5, -2.0, 0.0, 3.0, -0.1])
    up, down = promoted(effects, ["a", "b", "c", "d", "e"]).data
    assert list(up.customdata) == ["d", "a"] and list(up.y) == [3.0, 0.5]
    assert list(down.customdata) == ["e", "b"] and list(down.y) == [-0.1, -2.0]


def test_a_large_vocabulary_has_its_extremes_only():
    effects = np.linspace(-1, 1, 100)
    figure = promoted(effects, [str(i) for i in range(100)])
    up, down = figure.data
    assert list(up.customdata) == [str(99 - i) for i in range(MAX_SIDE)]
    assert list(down.customdata) == [str(MAX_SIDE - 1 - i) for i in range(MAX_SIDE)]
    assert len(figure.layout.xaxis.ticktext) == 2 * MAX_SIDE


def test_a_neuron_without_an_effect_has_no_bars():
    up, down = promoted(np.zeros(3), ["a", "b", "c"]).data
    assert len(up.x) == len(down.x) == 0

"""The charts of what was measured on heads."""

import pandas as pd

from microgpt.ui.charts.heads import head_values, shares_by_class, shares_by_distance


def test_each_head_has_its_number_in_the_grid():
    heads = [(layer, head) for layer in (1, 2) for head in (1, 2, 3)]
    frame = pd.DataFrame([(*each, sum(each)) for each in heads], columns=["layer", "head", "nats"])
    figure = head_values(frame.sample(frac=1, random_state=0), "nats")
    (heatmap,) = figure.data
    assert list(heatmap.x) == ["H1", "H2", "H3"] and list(heatmap.y) == ["L1", "L2"]
    assert heatmap.z.tolist() == [[2, 3, 4], [3, 4, 5]]
    assert heatmap.colorbar.title.text == "nats"
    assert figure.layout.yaxis.autorange == "reversed", "layer 1 is on top"


def test_shares_are_bars_with_their_classes_from_top_to_bottom():
    figure = shares_by_class(["vowel", "space"], [0.25, 0.75])
    (bars,) = figure.data
    assert (list(bars.y), list(bars.x)) == (["vowel", "space"], [0.25, 0.75])
    assert figure.layout.yaxis.autorange == "reversed"


def test_shares_by_distance_start_at_the_character_itself():
    (bars,) = shares_by_distance([0.5, 0.3, 0.2]).data
    assert (list(bars.x), list(bars.y)) == ([0, 1, 2], [0.5, 0.3, 0.2])

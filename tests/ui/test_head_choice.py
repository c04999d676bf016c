"""The selected head of the Attention page."""

import itertools

import pytest

from tests.ui.pages import ATTENTION, captions, charts, component, map_title, open_tab


def test_a_checkpoint_opens_on_its_most_important_head(open_attention, scored_checkpoint):
    app = open_attention(scored_checkpoint(2, 3))
    assert not app.exception and map_title(app) == "Layer 2, head 3"
    assert "opens with the most important head, layer 2, head 3" in captions(app)
    assert "+0.12 nats" in captions(app)
    assert (component(app)["layer"], component(app)["head"]) == (1, 2)


def test_a_checkpoint_without_head_scores_opens_on_the_first_head(open_attention):
    app = open_attention()
    assert map_title(app) == "Layer 1, head 1" and "opens with" not in captions(app)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"layer": "1", "head": "2"}, "Layer 1, head 2"),
        ({"layer": "1"}, "Layer 1, head 3"),
        ({"layer": "1", "head": "mean"}, "Mean of layer 1"),
        ({"layer": "mean", "head": "2"}, "Mean of all heads"),
        ({"layer": "7", "head": "none"}, "Layer 2, head 3"),
    ],
    ids=str,
)
def test_a_link_wins_over_the_most_important_head(
    open_attention, scored_checkpoint, query, expected
):
    app = open_attention(scored_checkpoint(2, 3), **query)
    assert not app.exception and map_title(app) == expected


def test_another_checkpoint_opens_on_its_own_head_until_one_is_selected(
    open_attention, scored_checkpoint, monkeypatch
):
    first, second = scored_checkpoint(2, 3, "first"), scored_checkpoint(1, 2, "second")
    app = open_attention(first)
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(second))
    assert map_title(app.run()) == "Layer 1, head 2"
    app.selectbox("layer").set_value(2).run()
    assert map_title(app) == "Layer 2, head 2"
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(first))
    assert map_title(app.run()) == "Layer 2, head 2", "the selected layer is kept"


def test_a_link_also_wins_for_a_checkpoint_that_is_loaded_later(
    open_attention, scored_checkpoint, tiny_checkpoint, monkeypatch
):
    app = open_attention(tiny_checkpoint, layer="1", head="1")
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(scored_checkpoint(2, 3)))
    assert map_title(app.run()) == "Layer 1, head 1"


@pytest.mark.parametrize("tab", ["All heads", "Head scores", "Compare"])
def test_a_mean_is_drawn_like_a_head(open_attention, tab):
    app = open_attention(tab=tab)
    drawn = [charts(app)]
    app.selectbox("head").set_value("mean").run()
    assert not app.exception and map_title(app) == "Mean of layer 1"
    drawn.append(charts(app))
    app.selectbox("layer").set_value("mean").run()
    assert not app.exception and map_title(app) == "Mean of all heads"
    assert app.selectbox("head").disabled and app.selectbox("head").value == "mean"
    drawn.append(charts(app))
    app.selectbox("layer").set_value(2).run()
    assert map_title(app) == "Mean of layer 2" and not app.selectbox("head").disabled
    drawn.append(charts(app))
    assert all(first != second for first, second in itertools.combinations(drawn, 2))


def test_the_selected_head_is_drawn(app):
    open_tab(app, ATTENTION, "All heads")
    chart = charts(app)[0]
    app.selectbox("head").set_value(3).run()
    app.selectbox("layer").set_value(2).run()
    assert charts(app)[0] != chart
    assert map_title(app) == "Layer 2, head 3"

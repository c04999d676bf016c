"""The choice of a head."""

import pytest

from tests.ui.shown import PAGES, captions, component, drawn, title


def test_a_checkpoint_opens_on_its_most_important_head(opened, scored_checkpoint):
    app = opened(scored_checkpoint(2, 3))
    assert not app.exception and title(app) == "Layer 2, head 3"
    assert "opens with the most important head, layer 2, head 3" in captions(app)
    assert "+0.12 nats" in captions(app)
    assert (component(app)["layer"], component(app)["head"]) == (1, 2)


def test_a_checkpoint_without_head_scores_opens_on_the_first_head(opened):
    app = opened()
    assert title(app) == "Layer 1, head 1" and "opens with" not in captions(app)


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
def test_a_link_wins_over_the_most_important_head(opened, scored_checkpoint, query, expected):
    app = opened(scored_checkpoint(2, 3), **query)
    assert not app.exception and title(app) == expected


def test_another_checkpoint_opens_on_its_own_head_until_one_is_selected(
    opened, scored_checkpoint, monkeypatch
):
    first, second = scored_checkpoint(2, 3, "first"), scored_checkpoint(1, 2, "second")
    app = opened(first)
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(second))
    assert title(app.run()) == "Layer 1, head 2"
    app.selectbox("layer").set_value(2).run()
    assert title(app) == "Layer 2, head 2"
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(first))
    assert title(app.run()) == "Layer 2, head 2", "what was chosen stays"


def test_a_link_also_wins_for_a_checkpoint_that_is_loaded_later(
    opened, scored_checkpoint, tiny_checkpoint, monkeypatch
):
    app = opened(tiny_checkpoint, layer="1", head="1")
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(scored_checkpoint(2, 3)))
    assert title(app.run()) == "Layer 1, head 1"


@pytest.mark.parametrize("tab", ["All heads", "Head scores", "Compare"])
def test_a_mean_is_drawn_like_a_head(opened, tab):
    app = opened(tab=tab)
    seen = [drawn(app)]
    app.selectbox("head").set_value("mean").run()
    assert not app.exception and title(app) == "Mean of layer 1"
    seen.append(drawn(app))
    app.selectbox("layer").set_value("mean").run()
    assert not app.exception and title(app) == "Mean of all heads"
    assert app.selectbox("head").disabled and app.selectbox("head").value == "mean"
    seen.append(drawn(app))
    app.selectbox("layer").set_value(2).run()
    assert title(app) == "Mean of layer 2" and not app.selectbox("head").disabled
    assert drawn(app) not in seen and seen[0] != seen[1] != seen[2] != seen[0]


def test_the_selected_head_is_drawn(app):
    app.run()
    app.switch_page(PAGES[1]).run()
    first = app.get("plotly_chart")[0].proto.spec
    app.selectbox("head").set_value(3).run()
    app.selectbox("layer").set_value(2).run()
    assert app.get("plotly_chart")[0].proto.spec != first
    assert any(s.value == "Layer 2, head 3" for s in app.subheader)

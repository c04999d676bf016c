"""The stages of one head."""

import pytest

from tests.ui.shown import drawn, on_tab, title


def test_the_table_shows_the_stages_of_the_selected_query_and_head(app):
    on_tab(app, "Stages")
    table = app.dataframe[0].value
    assert table["softmax"].sum() == pytest.approx(1)
    assert len(table) == 16, "as much as the window holds"
    app.slider("query").set_value(4).run()
    shorter = app.dataframe[0].value
    assert len(shorter) == 4 and shorter["softmax"].sum() == pytest.approx(1)
    app.selectbox("head").set_value(2).run()
    assert app.dataframe[0].value["q·k"].tolist() != shorter["q·k"].tolist()
    app.text_area("text").set_value("b").run()
    assert not app.exception and app.dataframe[0].value["softmax"].tolist() == [1]


def test_a_mean_has_no_stages(opened):
    app = opened(tab="Stages", head="mean")
    assert not app.exception and "Choose a head" in app.info[0].value and not drawn(app)
    app.selectbox("head").set_value(2).run()
    assert title(app) == "Layer 1, head 2" and drawn(app) and not app.info

"""The Stages tab of the Attention page."""

import pytest

from tests.ui.pages import ATTENTION, charts, map_title, open_tab


def test_the_table_shows_the_stages_of_the_selected_query_and_head(app):
    open_tab(app, ATTENTION, "Stages")
    table = app.dataframe[0].value
    assert table["softmax"].sum() == pytest.approx(1)
    assert len(table) == 16, "the text is cut to the window"
    app.slider("query").set_value(4).run()
    shorter = app.dataframe[0].value
    assert len(shorter) == 4 and shorter["softmax"].sum() == pytest.approx(1)
    app.selectbox("head").set_value(2).run()
    assert app.dataframe[0].value["q·k"].tolist() != shorter["q·k"].tolist()
    app.text_area("text").set_value("b").run()
    assert not app.exception and app.dataframe[0].value["softmax"].tolist() == [1]


def test_a_mean_has_no_stages(open_attention):
    app = open_attention(tab="Stages", head="mean")
    assert not app.exception and "Choose a head" in app.info[0].value and not charts(app)
    app.selectbox("head").set_value(2).run()
    assert map_title(app) == "Layer 1, head 2" and charts(app) and not app.info

"""The controls of the Attention page that several tabs share."""

import json

import pytest

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from microgpt.hub import load_bundled
from microgpt.ui.attention.controls import PASSAGE
from tests.ui.pages import ATTENTION, charts, open_tab

TEXT = "ba do ba do"


def test_the_table_shows_the_row_of_the_selected_query(open_attention, tiny_checkpoint):
    app = open_attention(tiny_checkpoint, text=TEXT)
    loaded = checkpoint.load(tiny_checkpoint)
    weights = attention_maps(loaded.model, loaded.tokenizer.encode(TEXT)).weights

    def table_row():
        table = app.dataframe[0].value
        return dict(zip(table["position"], table["attention (share)"], strict=True))

    def expected(query, weights):
        return {at + 1: pytest.approx(float(weights[query, at])) for at in range(query + 1)}

    assert not app.dataframe  # it is made when it is opened
    app.session_state["table of query"] = True
    app.run()
    assert table_row() == expected(10, weights[0, 0])
    assert app.dataframe[0].value["attention (share)"].is_monotonic_decreasing
    app.slider("query").set_value(4).run()
    assert table_row() == expected(3, weights[0, 0])
    app.selectbox("head").set_value("mean").run()
    assert not app.exception and table_row() == expected(3, weights[0].mean(dim=0))
    app.text_area("text").set_value("b").run()
    assert not app.exception and table_row() == {1: 1}


@pytest.mark.parametrize("tab", ["All heads", "Stages"])
def test_the_query_follows_the_end_of_the_text_until_it_is_selected(open_attention, tab):
    app = open_attention(tab=tab, text=TEXT)
    assert app.slider("query").value == 11
    app.text_area("text").set_value("ba do ba do ba").run()
    assert app.slider("query").value == 14
    app.slider("query").set_value(5).run()
    app.text_area("text").set_value("ba do ba").run()
    assert app.slider("query").value == 5


def test_the_chart_menu_saves_the_selected_image_format(open_attention):
    app = open_attention(layer="2", head="mean")

    def options():
        return json.loads(app.get("plotly_chart")[0].proto.config)["toImageButtonOptions"]

    assert (options()["format"], options()["filename"]) == ("svg", "microgpt-mean-of-layer-2")
    app.segmented_control("image").set_value("PNG").run()
    assert not app.exception and options()["format"] == "png"


def test_each_scale_draws_other_colours(app):
    open_tab(app, ATTENTION, "All heads")
    drawn = []
    for scale in ("linear", "log", "row"):
        app.segmented_control("scale").set_value(scale).run()
        drawn += charts(app)
    assert not app.exception and len(set(drawn)) == len(drawn) == 3


def test_the_page_opens_with_the_start_of_the_passage_of_the_bundled_snapshots():
    assert load_bundled().passage.startswith(PASSAGE)

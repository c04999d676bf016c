"""The scores of the heads."""

from tests.ui.shown import captions, on_tab


def test_the_table_shows_the_head_scores_of_the_text(app):
    on_tab(app, "Head scores")
    table = app.dataframe[0].value
    assert len(table) == 6 and table["itself"].between(0, 1).all()
    drawn = [chart.proto.spec for chart in app.get("plotly_chart")]
    app.selectbox("head").set_value(2).run()
    assert [chart.proto.spec for chart in app.get("plotly_chart")] != drawn
    app.text_area("text").set_value("ba do ba do").run()
    assert not app.exception
    assert app.dataframe[0].value["induction"].tolist() != table["induction"].tolist()
    app.text_area("text").set_value("b").run()
    assert not app.exception and any("at least two" in c.value for c in app.caption)


def test_the_table_shows_the_ablation_of_the_checkpoint(opened, scored_checkpoint, tiny_checkpoint):
    app = opened(scored_checkpoint(2, 1), "Head scores")
    worth = app.dataframe[0].value["loss change (nats)"]
    assert worth.tolist() == [0, 0, 0, 0.1234, 0, 0]
    assert "over 10 positions of the validation split" in captions(app)
    app.segmented_control("scores_from").set_value("this text").run()
    assert app.dataframe[0].value["loss change (nats)"].tolist() == worth.tolist()
    app = opened(tiny_checkpoint, "Head scores")
    assert "loss change (nats)" not in app.dataframe[0].value

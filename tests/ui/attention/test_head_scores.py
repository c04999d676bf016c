"""The Head scores tab of the Attention page."""

from tests.ui.pages import ATTENTION, captions, charts, open_tab


def test_the_table_shows_the_head_scores_of_the_text(app):
    open_tab(app, ATTENTION, "Head scores")
    app.text_area("text").set_value("ba ke\nba ke").run()
    table = app.dataframe[0].value
    assert len(table) == 6 and table["itself"].between(0, 1).all()
    before = charts(app)
    app.selectbox("head").set_value(2).run()
    assert charts(app) != before
    app.text_area("text").set_value("ba do ba do").run()
    assert not app.exception
    assert app.dataframe[0].value["induction"].tolist() != table["induction"].tolist()
    app.text_area("text").set_value("b").run()
    assert not app.exception and "at least two" in captions(app)


def test_the_table_shows_the_ablation_of_the_checkpoint(
    open_attention, scored_checkpoint, tiny_checkpoint
):
    app = open_attention(scored_checkpoint(2, 1), "Head scores")
    change = app.dataframe[0].value["loss change (nats)"]
    assert change.tolist() == [0, 0, 0, 0.1234, 0, 0]
    assert "over 10 positions of the validation split" in captions(app)
    app.segmented_control("scores_from").set_value("this text").run()
    assert app.dataframe[0].value["loss change (nats)"].tolist() == change.tolist()
    app = open_attention(tiny_checkpoint, "Head scores")
    assert "loss change (nats)" not in app.dataframe[0].value

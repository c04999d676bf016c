"""The Score a text tab of the Generate page."""

from tests.ui.pages import GENERATE, LOSS_RECORD, captions, first_text, open_tab, press


def test_the_start_of_a_long_text_is_shown_and_all_of_it_measured(app):
    open_tab(app, GENERATE, "Score a text")
    app.text_area("scored").set_value("ba do" * 2000 + "mu" * 1250).run()
    assert not app.exception and not app.error
    assert "12,500 characters; the page shows the first 10,000" in captions(app)
    assert first_text(app) == "ba do" * 2000
    assert "Measured on 10,000 characters" in captions(app)
    start = app.metric[0].value
    press(app, "Measure all 12,500")
    assert "Measured on 12,500 characters" in captions(app) and app.metric[0].value != start
    app.run()
    assert "Measured on 12,500 characters" in captions(app), "the measurement is kept"


def test_units_are_named_and_the_baselines_compared(app, monkeypatch):
    monkeypatch.delenv("MICROGPT_CHECKPOINT")
    open_tab(app, GENERATE, "Score a text")
    units = ["Loss (nats per character)", "Loss (bits per character)", "Perplexity"]
    assert [each.label for each in app.metric] == units
    table = app.dataframe[0].value.set_index("model")
    assert list(table.index) == ["this checkpoint", "bigram", "unigram", "uniform"]
    assert list(table.columns) == [each.lower() for each in units]
    assert table.iloc[:, 0].is_monotonic_increasing
    assert f"{table.iloc[0, 0]:.3f}" == app.metric[0].value


def test_without_baselines_only_the_checkpoint_is_measured(app):
    open_tab(app, GENERATE, "Score a text")
    assert list(app.dataframe[0].value["model"]) == ["this checkpoint"]


def test_a_link_to_the_tab_of_an_earlier_version_opens_this_one(app):
    app.query_params["record_view"] = "Measure your text"
    app.switch_page(LOSS_RECORD).run()
    assert not app.exception and app.title[0].value == "Generate"
    assert app.session_state["view"] == "Score a text" and app.metric


def test_the_score_is_kept_until_the_text_changes(app):
    open_tab(app, GENERATE, "Score a text")
    app.text_area("scored").set_value("ba do ke li").run()
    assert not app.exception
    loss, result = app.metric[0].value, app.session_state["scored_text"]
    assert app.run().metric[0].value == loss and app.session_state["scored_text"] is result
    table = app.dataframe[1].value
    assert table["probability"].is_monotonic_increasing and table["position"].between(2, 11).all()
    app.text_area("scored").set_value("ba do ke mu").run()
    assert not app.exception and app.metric[0].value != loss

"""The Measure your text tab of the Loss record page."""

from tests.ui.pages import LOSS_RECORD, MEASURE, captions, errors, open_tab


def test_the_loss_of_a_text_is_shown_with_the_baselines(app, monkeypatch):
    monkeypatch.delenv("MICROGPT_CHECKPOINT")
    open_tab(app, LOSS_RECORD, MEASURE)
    losses = app.dataframe[0].value.set_index("model")
    assert list(losses.index) == ["this checkpoint", "bigram", "unigram", "uniform"]
    assert losses.iloc[:, 0].is_monotonic_increasing
    app.text_area("measured_text").set_value("zq" * 300).run()
    assert "Press Measure for a new one" in captions(app)
    app.button[-1].click().run()
    unusual = app.dataframe[0].value.set_index("model")
    assert unusual.iloc[1, 0] > losses.iloc[1, 0]
    app.text_area("measured_text").set_value("€uro").run()
    assert "'€' (position 1)" in errors(app)[0]
    app.button("replace in measured_text").click().run()
    assert not app.error and app.text_area("measured_text").value == "uro"
    app.text_area("measured_text").set_value("a").run()
    assert app.button[-1].disabled


def test_without_baselines_only_the_checkpoint_is_measured(app):
    open_tab(app, LOSS_RECORD, MEASURE)
    assert list(app.dataframe[0].value["model"]) == ["this checkpoint"]

"""The loss on a visitor's text."""

from tests.ui.shown import MEASURE, errors, turn_to


def test_the_loss_of_a_text_is_shown_with_the_baselines(app, monkeypatch):
    monkeypatch.delenv("MICROGPT_CHECKPOINT")
    turn_to(app, MEASURE)
    first = app.dataframe[0].value.set_index("model")
    assert list(first.index) == ["this checkpoint", "bigram", "unigram", "uniform"]
    assert list(first.iloc[:, 0]) == sorted(first.iloc[:, 0])
    app.text_area("measured_text").set_value("zq" * 300).run()
    assert any("Press Measure for a new one" in caption.value for caption in app.caption)
    app.button[-1].click().run()
    second = app.dataframe[0].value.set_index("model")
    assert second.iloc[1, 0] > first.iloc[1, 0]
    app.text_area("measured_text").set_value("€uro").run()
    assert "'€' (position 1)" in errors(app)[0]
    app.button("replace in measured_text").click().run()
    assert not app.error and app.text_area("measured_text").value == "uro"
    app.text_area("measured_text").set_value("a").run()
    assert app.button[-1].disabled


def test_without_baselines_only_the_checkpoint_is_measured(app):
    turn_to(app, MEASURE)
    assert list(app.dataframe[0].value["model"]) == ["this checkpoint"]

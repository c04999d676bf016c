"""The start of a run on the Train page."""

import pytest

from tests.ui.pages import TRAIN, captions, errors, open_page, press
from tests.ui.train.conftest import TEXT, WAIT_S, open_it


def train_button(app):
    return next(button for button in app.main.button if button.label == "Train")


@pytest.mark.usefixtures("runs")
def test_a_pasted_text_is_trained_on(app, runs):
    app.query_params |= {"train_size": "Bigram", "train_steps_1": "20"}
    open_page(app, TRAIN)
    assert "Only someone with the link" in captions(app)
    assert "parameters; about" in captions(app)
    app.text_area("training_text").set_value(TEXT).run()
    train_button(app).click().run()
    assert not app.exception and not app.error
    (run,) = [app.session_state["run"]]
    assert run in app.query_params["run"]
    status = runs.wait_for(run, lambda status: status.ended, WAIT_S)
    assert (status.state, status.source.data) == ("done", "Ba do ke")
    assert (status.step, status.model.vocab_size) == (20, len(set(TEXT)))
    app.run()
    steps = [button.label for button in app.main.button]
    assert "Look inside" in steps and "See its attention" not in steps
    open_it(app)
    assert not app.error and app.selectbox("checkpoint").value == "Yours: Ba do ke"


@pytest.mark.usefixtures("runs")
def test_a_text_that_is_too_short_says_what_to_do(app):
    open_page(app, TRAIN)
    app.text_area("training_text").set_value("ba do\n" * 20).run()
    assert not app.error  # a shorter context length is chosen
    assert not train_button(app).disabled
    assert "3 layers of 4 heads, which can look back 8 characters" in captions(app)
    app.text_area("training_text").set_value("ba").run()
    (message,) = errors(app)
    assert "at least" in message and message.endswith("Paste a longer text.")
    assert train_button(app).disabled


def test_an_empty_text_asks_for_one(app):
    open_page(app, TRAIN)
    press(app, "Clear")
    assert not app.error and "no text yet" in app.info[0].value


def test_where_training_is_off_the_page_says_so_and_how_to_train_elsewhere(app, monkeypatch):
    monkeypatch.setenv("MICROGPT_TRAINING", "off")
    open_page(app, TRAIN)
    assert not app.error and "does not train models" in app.info[0].value
    assert "python -m microgpt train" in app.code[0].value
    assert train_button(app).disabled and "Only someone" not in captions(app)


def test_a_setting_of_the_operator_that_is_wrong_is_an_error(app, monkeypatch):
    monkeypatch.setenv("MICROGPT_TRAINING", "many")
    open_page(app, TRAIN)
    assert len(errors(app)) == 1

"""A run on the Train page."""

import io
import zipfile

import pytest

from microgpt.training.job_status import JobStatus
from microgpt.ui.train.run import duration
from tests.ui.pages import (
    GENERATE,
    LOSS_RECORD,
    SNAPSHOTS,
    TRAIN,
    component,
    errors,
    new_app,
    open_page,
    press,
    sidebar_text,
    tabs,
)
from tests.ui.train.conftest import WAIT_S, open_elsewhere, open_it

LABELS = ("Pause", "Go on", "Stop and keep", "Give up")


def open_run(app, run):
    app.query_params["run"] = run
    return open_page(app, TRAIN)


def labels(app):
    return [button.label for button in app.main.button if button.label in LABELS]


def text_of(app):
    return " ".join(each.value for each in app.main.markdown).replace("\\", "")


def test_a_run_that_is_done_shows_its_results_and_opens_on_other_pages(app, runs, done):
    open_run(app, done)
    status = runs.status(done)
    assert not app.error and "two lines** · 12 steps, validation loss" in text_of(app)
    data = component(app)
    assert [step for step, _ in data["lines"]["val_loss"]][-1] == 12
    assert [name for name, _ in data["baselines"]] == ["uniform", "unigram", "bigram"]
    assert data["samples"][-1] == [status.samples[-1].step, status.samples[-1].text]
    assert len(component(app, 1)["heads"]) == 2 and component(app, 1)["taken"][-1] == 12
    assert labels(app) == []
    open_it(app)
    assert app.title[0].value == "Generate" and not app.error
    assert app.selectbox("checkpoint").value == "Yours: two lines"
    assert "12 steps" in sidebar_text(app)
    assert SNAPSHOTS in tabs(open_elsewhere(app, LOSS_RECORD))


def test_a_link_opens_the_checkpoint_of_a_run(app, done):
    app.query_params |= {"opened": done, "checkpoint": "Yours: two lines"}
    open_page(app, GENERATE)
    assert not app.error and "12 steps" in sidebar_text(app)


def test_the_checkpoint_of_a_run_is_downloaded_as_a_zip(app, runs, done):
    open_run(app, done)
    button = next(each for each in app.get("download_button") if each.proto.label == "Download")
    assert button is not None
    folder = runs.status(done).folder
    from microgpt.checkpoint.archive import pack

    with zipfile.ZipFile(io.BytesIO(pack(folder, "two-lines"))) as packed:
        assert "two-lines/model.safetensors" in packed.namelist()
    assert "publish --checkpoint two-lines --repo USER/two-lines" in app.code[0].value


def test_another_run_starts_from_the_text(app, done):
    open_run(app, done)
    press(app, "Train another")
    assert not app.error and app.text_area("training_text").value


def test_a_run_is_paused_stopped_and_kept(app, runs, endless):
    run = endless()
    runs.wait_for(run, lambda status: status.rows, WAIT_S)
    open_run(app, run)
    assert labels(app) == ["Pause", "Stop and keep", "Give up"]
    press(app, "Pause")
    runs.wait_for(run, lambda status: status.state == "paused", WAIT_S)
    app.run()
    assert labels(app) == ["Go on", "Stop and keep", "Give up"] and "paused" in text_of(app)
    press(app, "Go on")
    runs.wait_for(run, lambda status: status.state == "training", WAIT_S)
    app.run()
    press(app, "Stop and keep")
    runs.wait_for(run, lambda status: status.ended, WAIT_S)
    app.run()
    assert not app.error and "Open it" in [each.label for each in app.main.button]


def test_a_run_waits_for_others_and_is_given_up(app, runs, endless):
    first, second = endless(), endless()
    open_run(app, second)
    assert "waiting: your run is next" in text_of(app) and labels(app) == ["Give up"]
    press(app, "Give up")
    app.run()
    assert app.text_area("training_text").value
    app = new_app()
    open_run(app, second)
    assert len(errors(app)) == 1
    press(app, "Train a model")
    assert not app.error and app.text_area("training_text").value
    assert runs.status(first).state == "training"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (41.3, "41 s"), (100, "1.7 minutes"), (600, "10 minutes")],
)
def test_a_time_is_said_as_a_person_says_it(seconds, words):
    assert duration(seconds) == words


def test_all_states_are_known():
    """_headline and _buttons say something in each of these."""
    states = JobStatus.__annotations__["state"].__args__
    assert set(states) == {"queued", "training", "paused", "finishing", "done", "failed"}

"""A run that is told what its process reported; no process is started."""

import pytest

from microgpt.checkpoint import CONFIG
from microgpt.training.folder import RunFolder
from microgpt.training.job import Job
from microgpt.training.job_status import JobStatus
from microgpt.training.worker import CHECKPOINT, TEXT
from tests.folders import names
from tests.training.small_job import SHAPE, SHORT, SOURCE


@pytest.fixture
def job(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / TEXT).write_bytes(b"a text")
    return Job(folder, "0" * 64, JobStatus("training", SHAPE, SHORT, SOURCE))


def save_checkpoint(job):
    (job.folder / CHECKPOINT).mkdir()
    (job.folder / CHECKPOINT / CONFIG).touch()


def report_trained_state(job):
    for step in (0, 10):
        job.apply("row", row(step))
    state = RunFolder(job.folder / CHECKPOINT).state
    state.parent.mkdir()
    state.touch()


def row(step):
    return {"step": step, "tokens": step, "seconds": 1.0, "val_loss": 2.0}


def test_the_first_note_and_the_first_error_are_kept(job):
    for name in ("note", "error"):
        job.apply(name, "the first")
        job.apply(name, "the second")
    assert (job.status.note, job.status.error) == ("the first", "the first")


def test_a_pause_does_not_count_as_time_of_the_process(job):
    began = job.began
    job.apply("state", "paused")
    assert job.paused is not None and job.status.state == "paused"
    job.paused -= 100
    job.apply("state", "training")
    assert job.paused is None and 100 <= job.began - began < 200


def test_a_run_that_ended_keeps_only_its_checkpoint(job):
    save_checkpoint(job)
    job.apply("note", "the run ended early")
    job.apply("step", SHORT.steps)
    job.apply("end", True)
    assert not job.close()
    assert (job.status.state, job.status.folder) == ("done", job.folder / CHECKPOINT)
    assert job.status.note is None  # because all steps were made
    assert names(job.folder) == {CHECKPOINT}


def test_a_trained_state_is_recovered_once(job):
    report_trained_state(job)
    assert job.close() and job.status.state == "finishing"
    job.begin()
    assert not job.close()
    assert job.status.state == "failed" and "the system ended the run" in job.status.error
    assert names(job.folder) == set()


def test_random_weights_are_not_recovered(job):
    job.apply("row", row(0))
    assert not job.close()
    assert (job.status.state, job.status.folder) == ("failed", None)


def test_a_run_that_was_given_up_leaves_nothing(job):
    save_checkpoint(job)
    job.deleted = True
    assert not job.close() and not job.folder.exists()

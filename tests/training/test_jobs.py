"""Runs in real processes of their own."""

import dataclasses
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from microgpt import checkpoint
from microgpt.config import GPTConfig
from microgpt.training.job_limits import Limits
from microgpt.training.job_status import JobError, JobStatus
from microgpt.training.jobs import KEEP_ENDED_MINUTES, MAX_ENDED, MAX_QUEUED, Jobs
from microgpt.training.worker import OUT_OF_MEMORY
from tests.folders import names
from tests.training.small_job import LONG, SHAPE, SHORT, SOURCE

PATIENCE = 600.0  # seconds, on a machine that is busy with other tests
TRAINED = 30  # a step with a saved state


def has_trained(status: JobStatus) -> bool:
    return status.step > TRAINED and any(row.val_loss for row in status.rows[1:])


def ended(status: JobStatus) -> bool:
    return status.ended


def finishing(status: JobStatus) -> bool:
    return status.state == "finishing" or status.ended


@pytest.fixture
def jobs(tmp_path):
    """Two runs at once, in an empty folder."""
    made = Jobs(tmp_path / "training", at_once=2, minutes=60)
    yield made
    made.close()
    assert not names(tmp_path / "training")


@pytest.fixture
def idle(tmp_path):
    """Runs that wait, because the server starts none."""
    made = Jobs(tmp_path / "training", at_once=0, minutes=60)
    yield made
    made.close()


def kill(jobs: Jobs, job: str) -> None:
    process = jobs._jobs[job].process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)


def cpu_ticks(jobs: Jobs, job: str) -> int:
    """The processor time of a run's process, in ticks of the system's clock."""
    process = jobs._jobs[job].process
    assert process is not None
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_run_trains_to_its_end_and_only_its_checkpoint_stays(jobs, corpus):
    job = jobs.submit(corpus, SHAPE, SHORT, SOURCE)
    assert jobs.status(job).state == "training" and not jobs.status(job).rows
    jobs.wait_for(job, finishing, PATIENCE)
    done = jobs.wait_for(job, ended, PATIENCE)
    assert (done.state, done.note, done.error) == ("done", None, None)
    made = checkpoint.load(done.folder)
    assert made.training.steps == done.step == SHORT.steps and made.training.data == "words.txt"
    assert len(done.rows) == len(made.loss_record)
    assert list(done.scores) == made.snapshot_scores.steps == made.snapshots.steps.tolist()
    assert done.samples[-1].text == made.tokenizer.decode(made.snapshots.samples[-1])
    assert set(done.baselines) == {"uniform", "unigram", "bigram"}
    assert names(done.folder.parent) == {"checkpoint"}
    for command in (jobs.pause, jobs.go_on, jobs.stop):
        command(job)  # nothing happens
    assert jobs.status(job) == done
    jobs.give_up(job)
    assert not done.folder.exists()
    with pytest.raises(JobError, match="no such run here"):
        jobs.status(job)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_paused_run_uses_no_processor_and_goes_on(jobs, corpus):
    paused, other = (jobs.submit(corpus, SHAPE, LONG, SOURCE) for _ in range(2))
    jobs.wait_for(paused, has_trained, PATIENCE)
    jobs.wait_for(other, has_trained, PATIENCE)
    jobs.pause(paused)
    before = jobs.wait_for(paused, lambda status: status.state == "paused", PATIENCE)
    ticks, step = cpu_ticks(jobs, paused), jobs.status(other).step
    jobs.wait_for(other, lambda status: status.step > step + 100, PATIENCE)
    assert jobs.status(paused) == before and cpu_ticks(jobs, paused) - ticks <= 1
    jobs.give_up(other)
    jobs.go_on(paused)
    jobs.wait_for(paused, lambda status: status.step > before.step, PATIENCE)
    jobs.stop(paused)
    done = jobs.wait_for(paused, ended, PATIENCE)
    assert (done.state, done.note, done.error) == ("done", None, None)
    assert before.step < done.step < LONG.steps
    made = checkpoint.load(done.folder)
    assert made.training.steps == done.step and made.baselines is not None


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_runs_that_are_killed_keep_what_they_have_learned(jobs, corpus):
    starting = jobs.submit(corpus, SHAPE, LONG, SOURCE)
    kill(jobs, starting)
    middle = jobs.submit(corpus, SHAPE, LONG, SOURCE)
    finished = jobs.submit(corpus, SHAPE, SHORT, SOURCE)
    status = jobs.wait_for(starting, ended, PATIENCE)
    assert status.state == "failed" and status.folder is None
    assert status.error == (
        "the system ended the run, probably because the server has too little memory"
    )
    jobs.wait_for(middle, has_trained, PATIENCE)
    kill(jobs, middle)
    assert jobs.wait_for(middle, finishing, PATIENCE).error is not None
    jobs.wait_for(finished, finishing, PATIENCE)
    kill(jobs, finished)
    for job, least in ((middle, TRAINED), (finished, SHORT.steps)):
        status = jobs.wait_for(job, ended, PATIENCE)
        assert status.state == "failed" and "the system ended the run" in status.error
        made = checkpoint.load(status.folder)
        assert made.training.steps >= least - LONG.eval_interval
        assert made.snapshots is not None and names(status.folder.parent) == {"checkpoint"}
    assert made.training.steps == SHORT.steps


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory")
def test_a_run_that_needs_too_much_memory_says_so(tmp_path, corpus):
    large = GPTConfig(block_size=256, n_layer=2, n_head=4, n_embd=128)
    train = dataclasses.replace(SHORT, batch_size=512)
    made = Jobs(tmp_path, at_once=1, minutes=60, limits=Limits(memory_mib=100))
    job = made.submit(corpus, large, train, SOURCE)
    status = made.wait_for(job, ended, PATIENCE)
    made.close()
    assert (status.state, status.error) == ("failed", OUT_OF_MEMORY)


def test_a_run_without_visitors_is_kept_and_then_deleted(jobs, corpus):
    job = jobs.submit(corpus, SHAPE, LONG, SOURCE)
    jobs.wait_for(job, has_trained, PATIENCE)
    jobs.tend(time.monotonic() + 599)
    assert jobs.status(job).note is None
    jobs.tend(time.monotonic() + 601)
    done = jobs.wait_for(job, ended, PATIENCE)
    assert done.note == "the run ended early, because nobody watched it for 10 minutes"
    assert done.state == "done" and checkpoint.load(done.folder).training.steps == done.step
    jobs.tend(time.monotonic() + 60 * KEEP_ENDED_MINUTES - 1)
    assert done.folder.exists()
    jobs.tend(time.monotonic() + 60 * KEEP_ENDED_MINUTES + 1)
    assert not done.folder.exists()
    with pytest.raises(JobError, match="kept for an hour"):
        jobs.status(job)


def test_a_run_that_is_paused_for_long_is_kept_and_one_that_hangs_is_ended(jobs, corpus):
    paused, hangs = (jobs.submit(corpus, SHAPE, LONG, SOURCE) for _ in range(2))
    jobs.wait_for(paused, has_trained, PATIENCE)
    jobs.pause(paused)
    jobs.wait_for(paused, lambda status: status.state == "paused", PATIENCE)
    later = time.monotonic() + 601
    for job in (paused, hangs):
        jobs._jobs[job].visited = later
    jobs.tend(later)
    done = jobs.wait_for(paused, ended, PATIENCE)
    assert done.note == "the run ended early, because it was paused for 10 minutes"
    jobs._jobs[hangs].visited = later = time.monotonic() + 60 * 60 + 181
    jobs.tend(later)
    assert jobs.wait_for(hangs, ended, PATIENCE).error == "the run took too long and was ended"


def test_runs_wait_in_the_order_of_their_submission(idle, corpus):
    queue = [idle.submit(corpus, SHAPE, SHORT, SOURCE) for _ in range(MAX_QUEUED)]
    assert len(set(queue)) == MAX_QUEUED and all(len(job) > 20 for job in queue)
    assert [idle.status(job).place for job in queue] == list(range(1, MAX_QUEUED + 1))
    with pytest.raises(JobError, match="10 runs are waiting; try again in a few minutes"):
        idle.submit(corpus, SHAPE, SHORT, SOURCE)
    idle.give_up(queue[0])
    idle.stop(queue[2])
    assert idle.status(queue[1]).place == 1 and idle.status(queue[3]).place == 2
    assert len(list(idle._folder.iterdir())) == MAX_QUEUED - 2
    idle.tend(time.monotonic() + 601)
    with pytest.raises(JobError, match="no such run"):
        idle.status(queue[1])
    assert not list(idle._folder.iterdir())


def test_a_text_that_cannot_be_used_leaves_nothing(idle):
    with pytest.raises(JobError, match="needs a text of at least 161 characters"):
        idle.submit("short", SHAPE, SHORT, SOURCE)
    assert not list(idle._folder.iterdir())


def test_the_disk_is_bounded(idle, corpus):
    """The ended runs that were visited last are kept."""
    kept = []
    for number in range(MAX_ENDED + 2):
        job = idle.submit(corpus, SHAPE, SHORT, SOURCE)
        idle._jobs[job].update(state="done")
        idle._jobs[job].visited = number
        kept.append(job)
    idle.tend(MAX_ENDED + 2)
    assert set(idle._jobs) == set(kept[2:]) and len(list(idle._folder.iterdir())) == MAX_ENDED


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JobError, match="set MICROGPT_CACHE to another folder") as raised:
        Jobs(tmp_path / "file", at_once=1, minutes=5)
    assert str(tmp_path) not in raised.value.for_visitors


def test_no_run_is_accepted_while_the_server_stops(idle, corpus):
    idle.close()
    with pytest.raises(JobError, match="the server is stopping"):
        idle.submit(corpus, SHAPE, SHORT, SOURCE)
    idle.close()  # at exit

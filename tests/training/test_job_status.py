from pathlib import Path

from microgpt.checkpoint.loss_record import LossRow
from microgpt.training.job_status import JobStatus
from tests.training.small_job import SHAPE, SHORT, SOURCE


def test_a_waiting_run_has_not_ended_and_has_no_speed():
    waiting = JobStatus("queued", SHAPE, SHORT, SOURCE, place=1)
    assert not waiting.ended and waiting.steps == SHORT.steps
    assert waiting.tokens_per_second is None and waiting.seconds_left is None


def test_the_time_left_follows_from_the_recent_speed():
    tokens = SHORT.batch_size * SHAPE.block_size
    # The fit of the baselines after the first row and slow early steps do not count.
    times = (0.0, 100.0, *(200.0 + 2 * step for step in range(2, 31)))
    rows = tuple(
        LossRow(step, step * tokens, 1.0, wall_seconds=at) for step, at in enumerate(times)
    )
    running = JobStatus("training", SHAPE, SHORT, SOURCE, step=30, rows=rows)
    assert running.tokens_per_second == tokens / 2
    assert running.seconds_left == 2 * (SHORT.steps - 30)


def test_runs_that_ended():
    assert JobStatus("done", SHAPE, SHORT, SOURCE, folder=Path("checkpoint")).ended
    assert JobStatus("failed", SHAPE, SHORT, SOURCE, error="it failed").ended

"""One training run of a visitor: its files, the reports of its process, and how it ends."""

import contextlib
import dataclasses
import shutil
import time
from pathlib import Path
from typing import Any

from microgpt import atomic
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint import CONFIG
from microgpt.checkpoint.loss_record import LossRow
from microgpt.training.folder import RunFolder
from microgpt.training.job_status import JobStatus, Sample
from microgpt.training.process import WorkerProcess
from microgpt.training.worker import CHECKPOINT, TEXT

# A run is ended after this many minutes without a visit, or of a pause.
KEEP_MINUTES = 10
_KILLED = "the system ended the run, probably because the server has too little memory"
_EARLY = "the run ended early, because"
_TOO_LONG = "the run took too long and was ended"


class Job:
    """A run, its process, and the times that decide what happens to it (of time.monotonic).

    It is not safe for threads; jobs.py holds its lock while it uses a run.
    """

    def __init__(self, folder: Path, text_sha256: str, status: JobStatus):
        self.folder, self.text_sha256, self.status = folder, text_sha256, status
        self.process: WorkerProcess | None = None
        self.visited = time.monotonic()
        self.began = self.visited  # when its process began; later by the time that it was paused
        self.paused: float | None = None  # since when
        self.ended: bool = False  # the process has reported the end
        self.recovers = False
        self.deleted = False

    def update(self, **changes: Any) -> None:
        self.status = dataclasses.replace(self.status, **changes)

    def begin(self) -> None:
        """Set the times for a new process."""
        self.began, self.ended, self.paused = time.monotonic(), False, None

    def apply(self, name: str, value: Any) -> None:
        """Apply an event of the run's process (see worker.py) to its status."""
        status, now = self.status, time.monotonic()
        match name:
            case "state":
                if value == "paused":
                    self.paused = now
                elif self.paused is not None:
                    self.began, self.paused = self.began + now - self.paused, None
                self.update(state=value)
            case "row":
                row = LossRow(**value)
                self.update(rows=(*status.rows, row), step=row.step)
            case "sample":
                self.update(samples=(*status.samples, Sample(**value)))
            case "scores":
                shape = status.model.n_layer, status.model.n_head
                scores = HeadScores.from_json(value["scores"], *shape)
                self.update(scores={**status.scores, value["step"]: scores})
            case "note":
                self.update(note=status.note or value)
            case "error":
                self.update(error=status.error or value)
            case "step" | "baselines":
                self.update(**{name: value})
            case "end":
                self.ended = True

    def tend(self, now: float, most_seconds: float) -> None:
        """End the process if nobody visits the run, or if it is paused or takes too long.

        most_seconds: the limit for the process.
        """
        assert self.process is not None
        keep, status = 60 * KEEP_MINUTES, self.status
        if status.state in ("training", "paused") and status.note is None:
            if now - self.visited > keep:
                self.update(note=f"{_EARLY} nobody watched it for {KEEP_MINUTES} minutes")
            elif self.paused is not None and now - self.paused > keep:
                self.update(note=f"{_EARLY} it was paused for {KEEP_MINUTES} minutes")
            if self.status.note is not None:
                self.process.send("stop")
        if self.paused is None and now - self.began > most_seconds:
            self.update(error=status.error or _TOO_LONG)
            self.process.kill()

    def close(self) -> bool:
        """Set the state of the run when its process has ended.

        Returns whether a new process must make a checkpoint of the saved state. Otherwise the run
        is `done` or `failed`, or deleted, and only its checkpoint stays.
        """
        if self.deleted:
            self.delete()
            return False
        folder = self._checkpoint
        if self.ended and self.status.error is None:
            complete = self.status.step == self.status.steps
            self.update(state="done", folder=folder, note=None if complete else self.status.note)
        else:
            self.update(error=self.status.error or _KILLED)
            if folder is None and not self.recovers and self._has_trained_state:
                self.recovers = True
                self.update(state="finishing")
                return True
            self.update(state="failed", folder=folder)
        self.clean()
        return False

    def clean(self) -> None:
        """Delete all files but the checkpoint."""
        shutil.rmtree(RunFolder(self.folder / CHECKPOINT).folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            (self.folder / TEXT).unlink()

    def delete(self) -> None:
        """Delete all files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _checkpoint(self) -> Path | None:
        """The folder of the checkpoint, if it has been saved."""
        folder = self.folder / CHECKPOINT
        atomic.put_back(folder)
        return folder if (folder / CONFIG).is_file() else None

    @property
    def _has_trained_state(self) -> bool:
        """Whether a state is saved that has more than the random weights of step 0."""
        saved = [row.step for row in self.status.rows if row.val_loss is not None]
        return bool(saved) and saved[-1] > 0 and RunFolder(self.folder / CHECKPOINT).state.exists()

"""The training runs of a server's visitors: a queue, and a process of its own for each run."""

import atexit
import contextlib
import dataclasses
import hashlib
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microgpt import atomic
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint import CONFIG
from microgpt.checkpoint.loss_record import LossRow
from microgpt.config import GPTConfig, TrainConfig
from microgpt.training.finish import Source
from microgpt.training.folder import RunFolder
from microgpt.training.job_limits import check_request
from microgpt.training.job_status import JobError, JobStatus, Sample
from microgpt.training.process import WorkerProcess
from microgpt.training.server_folder import server_folder
from microgpt.training.worker import CHECKPOINT, TEXT, Request

# The most runs that wait, and the most ended runs that are kept, the last visited ones.
MAX_QUEUED, MAX_ENDED = 10, 20
# An ended run is deleted so many minutes after its last visit.
KEEP_ENDED_MINUTES = 60
# The seconds that a run may take beside its training time: to start, and for the measurements after
# the training. Then its process is ended.
GRACE_SECONDS = 180
_TEND_SECONDS = 1.0
_KILLED = "the system ended the run, probably because the server has too little memory"
_EARLY = "the run ended early, because"
_TOO_LONG = "the run took too long and was ended"
_UNKNOWN = (
    "there is no such run here any more; a run is kept for an hour after its last visit, unless "
    "the server stops"
)


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of a run's process: MiB of memory for the training, and of its largest file."""

    memory_mib: int = 400
    file_mib: float = 64


class _Job:
    """A run, its process, and the times that decide what happens to it (of time.monotonic)."""

    def __init__(self, folder: Path, text_sha256: str, status: JobStatus, now: float):
        self.folder, self.text_sha256, self.status = folder, text_sha256, status
        self.process: WorkerProcess | None = None
        self.visited = now
        self.began = now  # of its process, moved on by the time that it was paused
        self.paused: float | None = None  # since when
        self.ended: bool = False  # the process has reported the end
        self.recovers = False
        self.deleted = False

    def update(self, **changes: Any) -> None:
        self.status = dataclasses.replace(self.status, **changes)

    @property
    def checkpoint(self) -> Path | None:
        """The folder of the checkpoint, if it has been saved."""
        folder = self.folder / CHECKPOINT
        atomic.put_back(folder)
        return folder if (folder / CONFIG).is_file() else None

    @property
    def has_trained_state(self) -> bool:
        """Whether a state is saved that has more than the random weights of step 0."""
        saved = [row.step for row in self.status.rows if row.val_loss is not None]
        return bool(saved) and saved[-1] > 0 and RunFolder(self.folder / CHECKPOINT).state.exists()

    def clean(self) -> None:
        """Delete all files but the checkpoint."""
        shutil.rmtree(RunFolder(self.folder / CHECKPOINT).folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            (self.folder / TEXT).unlink()


class Jobs:
    """The runs of this server.

    folder: for their files; each server has a folder of its own in it. at_once: runs that train at
    the same time. minutes: the limit for the training time of each. keep_minutes: a run that nobody
    visits for so long is ended, and so is one that is paused for so long. Raises JobError if the
    folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        at_once: int,
        minutes: float,
        keep_minutes: float = 10,
        limits: Limits | None = None,
    ):
        self._at_once, self._minutes, self._keep_minutes = at_once, minutes, keep_minutes
        self._limits = limits or Limits()
        self._jobs: dict[str, _Job] = {}  # in the order of submission
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._closing = threading.Event()
        self._stack = contextlib.ExitStack()
        try:
            self._folder = self._stack.enter_context(server_folder(folder))
        except OSError as error:
            raise JobError(
                f"{folder} cannot be written, so no run can be stored; set MICROGPT_CACHE to "
                "another folder",
                "this server cannot store the files of a run",
            ) from error
        self._tender: threading.Thread | None = None
        atexit.register(self.close)

    def submit(self, text: str, model: GPTConfig, train: TrainConfig, source: Source) -> str:
        """Add a run to the queue, and return its id, which cannot be guessed.

        model: its vocab_size is ignored. Raises JobError if the queue is full, or if the text or
        the model cannot be used (see job_limits.py).
        """
        encoded = check_request(text, model, train)
        job, name = secrets.token_urlsafe(16), secrets.token_hex(8)
        with self._lock:
            if self._closing.is_set():
                raise JobError("the server is stopping; try again in a minute")
            if sum(each.status.state == "queued" for each in self._jobs.values()) >= MAX_QUEUED:
                raise JobError(f"{MAX_QUEUED} runs are waiting; try again in a few minutes")
            folder = self._folder / name
            try:
                folder.mkdir()
                (folder / TEXT).write_bytes(encoded)
            except OSError as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise JobError("the server has no room for the text; try again later") from error
            status = JobStatus("queued", model, train, source)
            digest = hashlib.sha256(encoded).hexdigest()
            self._jobs[job] = _Job(folder, digest, status, time.monotonic())
            self._start_next()
            if self._tender is None:
                self._tender = threading.Thread(target=self._keep_tending, daemon=True)
                self._tender.start()
        return job

    def status(self, job: str) -> JobStatus:
        """The run with this id as it is now; this counts as a visit.

        It reads no file and may be called often. Raises JobError if there is no such run.
        """
        with self._lock:
            found = self._find(job)
            found.visited = time.monotonic()
            if found.status.state != "queued":
                return found.status
            queue = [each for each in self._jobs.values() if each.status.state == "queued"]
            return dataclasses.replace(found.status, place=queue.index(found) + 1)

    def wait_for(
        self, job: str, condition: Callable[[JobStatus], bool], seconds: float
    ) -> JobStatus:
        """Wait until the status of a run fulfils a condition; return it then.

        Raises TimeoutError after so many seconds, and JobError if there is no such run.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self.status(job)), seconds):
                raise TimeoutError(f"the run is {self.status(job).state}")
            return self.status(job)

    def pause(self, job: str) -> None:
        """Pause a run after the current step; it keeps its memory and uses no CPU time."""
        self._send(job, "pause")

    def go_on(self, job: str) -> None:
        """Continue a paused run."""
        self._send(job, "go on")

    def stop(self, job: str) -> None:
        """End a run after the current step and keep its checkpoint: `finishing`, then `done`.

        A run that is still in the queue is deleted.
        """
        with self._lock:
            if self._find(job).status.state == "queued":
                self.give_up(job)
            else:
                self._send(job, "stop")

    def give_up(self, job: str) -> None:
        """End a run at once and delete it with its files, also if it has ended before."""
        with self._lock:
            found = self._find(job)
            del self._jobs[job]
            found.deleted = True
            if found.process is not None:
                found.process.kill()  # its files are deleted when it has ended
            else:
                shutil.rmtree(found.folder, ignore_errors=True)

    def close(self) -> None:
        """End all runs and delete their files, when the server stops."""
        self._closing.set()
        atexit.unregister(self.close)
        with self._lock:
            processes = [job.process for job in self._jobs.values() if job.process is not None]
            for job in list(self._jobs):
                self.give_up(job)
        for process in processes:
            process.wait()
        self._stack.close()

    def tend(self, now: float | None = None) -> None:
        """Do what is due at a time of time.monotonic, by default now; a thread does so each second.

        Runs without visitors and runs that are paused for too long are ended and kept. Those that
        take too long are ended. Old ones are deleted.
        """
        now = time.monotonic() if now is None else now
        with self._lock:
            for job, each in list(self._jobs.items()):
                self._tend(job, each, now)
            ended = [job for job, each in self._jobs.items() if each.status.ended]
            ended.sort(key=lambda job: self._jobs[job].visited, reverse=True)
            for job in ended[MAX_ENDED:]:
                self.give_up(job)

    def _tend(self, job: str, found: _Job, now: float) -> None:
        keep, status = 60 * self._keep_minutes, found.status
        unseen = now - found.visited > keep
        if status.ended:
            if now - found.visited > 60 * KEEP_ENDED_MINUTES:
                self.give_up(job)
        elif found.process is None:
            if unseen:
                self.give_up(job)
        elif status.state in ("training", "paused") and status.note is None:
            if unseen:
                found.update(note=f"{_EARLY} nobody watched it for {self._keep_minutes:g} minutes")
            elif found.paused is not None and now - found.paused > keep:
                found.update(note=f"{_EARLY} it was paused for {self._keep_minutes:g} minutes")
            if found.status.note is not None:
                found.process.send("stop")
        most = 60 * self._minutes + GRACE_SECONDS
        if found.process is not None and found.paused is None and now - found.began > most:
            found.update(error=status.error or _TOO_LONG)
            found.process.kill()

    def _keep_tending(self) -> None:
        while not self._closing.wait(_TEND_SECONDS):
            self.tend()

    def _find(self, job: str) -> _Job:
        found = self._jobs.get(job)
        if found is None:
            raise JobError(_UNKNOWN)
        return found

    def _send(self, job: str, command: str) -> None:
        with self._lock:
            process = self._find(job).process
        if process is not None:
            process.send(command)

    def _start_next(self) -> None:
        """Start processes for the runs that waited longest, while fewer than at_once run."""
        for job in self._jobs.values():
            if sum(each.process is not None for each in self._jobs.values()) >= self._at_once:
                return
            if job.status.state == "queued" and not self._closing.is_set():
                job.update(state="training")
                self._start(job)

    def _start(self, job: _Job) -> None:
        status = job.status
        request = Request(
            status.model,
            status.train,
            status.source,
            job.text_sha256,
            60 * self._minutes,
            self._limits.memory_mib,
            self._limits.file_mib,
            job.recovers,
        )
        job.began, job.ended, job.paused = time.monotonic(), False, None

        def on_event(process: WorkerProcess, name: str, value: Any) -> None:
            with self._lock:
                self._apply(job, name, value)
                self._changed.notify_all()

        def on_exit(process: WorkerProcess) -> None:
            with self._lock:
                job.process = None
                self._after(job)
                self._start_next()
                self._changed.notify_all()

        try:
            job.process = WorkerProcess(job.folder, request, on_event, on_exit)
        except OSError as error:
            job.update(state="failed", error=f"the run could not start: {error.strerror}")
            job.clean()

    @staticmethod
    def _apply(job: _Job, name: str, value: Any) -> None:
        """Apply an event of a run's process to its status."""
        status, now = job.status, time.monotonic()
        match name:
            case "state":
                if value == "paused":
                    job.paused = now
                elif job.paused is not None:
                    job.began, job.paused = job.began + now - job.paused, None
                job.update(state=value)
            case "row":
                row = LossRow(**value)
                job.update(rows=(*status.rows, row), step=row.step)
            case "sample":
                job.update(samples=(*status.samples, Sample(**value)))
            case "scores":
                shape = status.model.n_layer, status.model.n_head
                scores = HeadScores.from_json(value["scores"], *shape)
                job.update(scores={**status.scores, value["step"]: scores})
            case "note":
                job.update(note=status.note or value)
            case "error":
                job.update(error=status.error or value)
            case "step" | "baselines":
                job.update(**{name: value})
            case "end":
                job.ended = True

    def _after(self, job: _Job) -> None:
        """Decide what becomes of a run whose process has ended."""
        if job.deleted:
            shutil.rmtree(job.folder, ignore_errors=True)
            return
        folder = job.checkpoint
        if job.ended and job.status.error is None:
            complete = job.status.step == job.status.steps
            job.update(state="done", folder=folder, note=None if complete else job.status.note)
        else:
            job.update(error=job.status.error or _KILLED)
            if folder is None and not job.recovers and job.has_trained_state:
                job.recovers = True
                job.update(state="finishing")
                self._start(job)
                return
            job.update(state="failed", folder=folder)
        job.clean()

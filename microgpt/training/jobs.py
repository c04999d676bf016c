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

from microgpt.config import GPTConfig, TrainConfig
from microgpt.training.finish import Source
from microgpt.training.job import KEEP_MINUTES, Job
from microgpt.training.job_limits import Limits, check_request
from microgpt.training.job_status import JobError, JobStatus
from microgpt.training.process import WorkerProcess
from microgpt.training.server_folder import server_folder
from microgpt.training.worker import TEXT, Request

# The most runs that wait, and the most ended runs that are kept: those visited last.
MAX_QUEUED, MAX_ENDED = 10, 20
# An ended run is deleted this many minutes after its last visit.
KEEP_ENDED_MINUTES = 60
# The seconds that a run may take besides its training time, to start and for the measurements after
# the training. After that, its process is ended.
GRACE_SECONDS = 180
_TEND_SECONDS = 1.0
_UNKNOWN = (
    "there is no such run here any more; a run is kept for an hour after its last visit, unless "
    "the server stops"
)


class Jobs:
    """The runs of this server.

    folder: for their files; each server has a folder of its own in it. at_once: runs that train at
    the same time. minutes: the limit for the training time of each. A run is ended after
    KEEP_MINUTES without a visit, or of a pause. Raises JobError if the folder cannot be written.
    """

    def __init__(self, folder: Path, at_once: int, minutes: float, limits: Limits | None = None):
        self._at_once, self._minutes = at_once, minutes
        self._limits = limits or Limits()
        self._jobs: dict[str, Job] = {}  # in the order of submission
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

        model: its vocab_size is ignored. Raises JobError if the queue is full, and JobError
        or DataError if the text or the model cannot be used (see job_limits.py).
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
            self._jobs[job] = Job(folder, digest, status)
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

        Raises TimeoutError after this many seconds, and JobError if there is no such run.
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
                found.delete()

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

    def _tend(self, job: str, found: Job, now: float) -> None:
        if found.process is None:
            keep = KEEP_ENDED_MINUTES if found.status.ended else KEEP_MINUTES
            if now - found.visited > 60 * keep:
                self.give_up(job)
        else:
            found.tend(now, 60 * self._minutes + GRACE_SECONDS)

    def _keep_tending(self) -> None:
        while not self._closing.wait(_TEND_SECONDS):
            self.tend()

    def _find(self, job: str) -> Job:
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

    def _start(self, job: Job) -> None:
        status = job.status
        request = Request(
            status.model,
            status.train,
            status.source,
            job.text_sha256,
            60 * self._minutes,
            self._limits,
            job.recovers,
        )
        job.begin()

        def on_event(name: str, value: Any) -> None:
            with self._lock:
                job.apply(name, value)
                self._changed.notify_all()

        def on_exit() -> None:
            with self._lock:
                job.process = None
                if job.close():
                    self._start(job)
                self._start_next()
                self._changed.notify_all()

        try:
            job.process = WorkerProcess(job.folder, request, on_event, on_exit)
        except OSError as error:
            job.update(state="failed", error=f"the run could not start: {error.strerror}")
            job.clean()

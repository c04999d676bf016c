"""A visitor's training run, in a process of its own, which `process.py` starts.

Run: python -m microgpt.training.worker FOLDER

FOLDER holds the text. The first line of stdin is a Request as JSON, each later one a command:
pause, go on or stop. When stdin ends, the server has ended, and this process ends at once. Each
line of stdout is an event, a JSON object with one entry: state, step, baselines, row, sample,
scores, note, error, or end, which is the last.
"""

import contextlib
import copy
import errno
import hashlib
import json
import os
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from microgpt import checkpoint
from microgpt.analysis.head_scores import HeadScores, SnapshotScores
from microgpt.checkpoint import CheckpointError
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import DataError, read_text
from microgpt.errors import MicroGPTError, lacks_memory
from microgpt.training.finish import Source
from microgpt.training.folder import RunFolder
from microgpt.training.job_limits import Limits, limit_process
from microgpt.training.loop import TrainError
from microgpt.training.prepare import Run
from microgpt.training.run import train_checkpoint
from microgpt.training.snapshot_weights import load_weights, weights_file
from microgpt.training.snapshots import live_scores, write_sample

TEXT, CHECKPOINT = "text.txt", "checkpoint"  # in the folder of a run
# Between snapshots, a sample is written when the last one is this many seconds old.
SAMPLE_SECONDS = 4.0
# The number of steps is reported this many seconds after it was last reported.
STEP_SECONDS = 0.2
OUT_OF_MEMORY = (
    "the run needs more memory than this server gives it; choose a smaller model or context length"
)
DISK_FULL = "the disk of the server is full; try again later"
UNEXPECTED = "the program failed; its operator finds the reason in the log of the server"

Report = Callable[[str, Any], None]


@dataclass(frozen=True)
class Request:
    """What to train. recover: only save the checkpoint of an earlier process that ended.

    seconds: the limit for the training time.
    """

    model: GPTConfig
    train: TrainConfig
    source: Source
    text_sha256: str
    seconds: float
    limits: Limits
    recover: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Request":
        values = json.loads(line)
        kinds = {"model": GPTConfig, "train": TrainConfig, "source": Source, "limits": Limits}
        return cls(**values | {name: kind(**values[name]) for name, kind in kinds.items()})


class Control:
    """The commands of the server, which a thread reads; ended: called after the last one."""

    def __init__(self, commands: Iterable[str], ended: Callable[[], object]):
        self._changed = threading.Condition()
        self._paused = self.stopped = False
        reader = threading.Thread(target=self._read, args=(commands, ended), daemon=True)
        reader.start()

    def _read(self, commands: Iterable[str], ended: Callable[[], object]) -> None:
        for command in map(str.strip, commands):
            with self._changed:
                self._paused = command == "pause"
                self.stopped = self.stopped or command == "stop"
                self._changed.notify()
        ended()

    def wait(self, report: Report) -> float:
        """Wait while the run is paused, without using the CPU; return the seconds waited."""
        with self._changed:
            if not self._paused:
                return 0.0
            report("state", "paused")
            began = time.monotonic()
            self._changed.wait_for(lambda: not self._paused)
            return time.monotonic() - began


class _StoppedError(Exception):
    """The measurements after the training are not wanted."""


class Training:
    """Runs train_checkpoint, and reports what a page shows of it."""

    def __init__(self, folder: Path, request: Request, control: Control, report: Report):
        self._out, self._request = folder / CHECKPOINT, request
        self._text = folder / TEXT
        self._control, self._report = control, report
        self._rows = self._snapshots = 0  # reported
        self._scores: dict[int, HeadScores] = {}
        self._run: Run | None = None
        self._began = self._stepped = self._sampled = time.monotonic()

    def run(self) -> None:
        """Train, save the checkpoint with the head scores of the snapshots, and report the end."""
        request = self._request
        if request.recover:  # make room on a disk that may be full
            shutil.rmtree(RunFolder(self._out).snapshots, ignore_errors=True)
        text = self._read()
        rows = train_checkpoint(
            text,
            request.model,
            request.train,
            self._out,
            source=request.source,
            device="cpu",
            resume=request.recover,
            stop=self._stop,
            watch=self._watch,
            progress=self._progress,
        )
        with contextlib.suppress(_StoppedError):
            for row in rows:
                if row.step == request.train.steps:
                    self._report("state", "finishing")
        if self._scores:
            scores = SnapshotScores(list(self._scores), list(self._scores.values()))
            with contextlib.suppress(CheckpointError):  # too large, with many heads and snapshots
                checkpoint.add_head_scores(self._out, scores, request.model)
        self._report("end", None)

    def _read(self) -> str:
        """The text of the run. Raises TrainError if it is not the one that was submitted."""
        try:
            text = read_text(self._text)
        except DataError as error:
            print(error, file=sys.stderr)  # for the operator, because it names the path
            text = ""
        if hashlib.sha256(text.encode()).hexdigest() != self._request.text_sha256:
            raise TrainError("the text of this run changed on the server; start the run again")
        return text

    def _watch(self, run: Run) -> None:
        """Report what is new after a step."""
        now = time.monotonic()
        for row in run.state.rows[self._rows :]:
            self._report("row", asdict(row))
        self._rows = len(run.state.rows)
        if self._run is None:
            self._run, self._began = run, now
            self._report("baselines", run.baselines.val_loss)
        if now > self._stepped + STEP_SECONDS:
            self._report("step", run.state.step)
            self._stepped = now
        if len(run.state.snapshots) > self._snapshots:
            self._snapshots = len(run.state.snapshots)
            self._report_snapshot(run)
        elif now > self._sampled + SAMPLE_SECONDS:
            model = copy.deepcopy(run.gpt).eval()
            self._report_sample(run, write_sample(model, run.tokenizer))

    def _report_snapshot(self, run: Run) -> None:
        snapshot, config = run.state.snapshots[-1], run.state.model.config
        self._report_sample(run, snapshot.sample.tolist())
        if config.block_size > 1:  # with one position, every attention weight is 1
            model = load_weights(weights_file(run.files.snapshots, snapshot.step), config)
            scores = live_scores(model, run.tokenizer, run.text.val)
            self._scores[snapshot.step] = scores
            self._report("scores", {"step": snapshot.step, "scores": scores.to_json()})

    def _report_sample(self, run: Run, ids: list[int]) -> None:
        self._report("sample", {"step": run.state.step, "text": run.tokenizer.decode(ids)})
        self._sampled = time.monotonic()

    def _stop(self) -> bool:
        """Wait while the run is paused; return whether it ends now."""
        if waited := self._control.wait(self._report):
            self._report("state", "training")
            self._began += waited
            if self._run is not None:
                self._run.state.leave_out(waited)
        stops = self._request.recover or self._control.stopped
        unfinished = self._run is None or self._run.state.step < self._request.train.steps
        if unfinished and not stops and time.monotonic() > self._began + self._request.seconds:
            minutes = self._request.seconds / 60
            reason = f"it reached the limit of this server, {minutes:g} minutes"
            self._report("note", f"the run ended early, because {reason}")
            stops = True
        if stops:
            self._report("state", "finishing")
            if self._run is not None:
                self._report("step", self._run.state.step)
        return stops

    def _progress(self, name: str, done: int, total: int) -> None:
        if self._control.wait(self._report):
            self._report("state", "finishing")
        if self._control.stopped:  # the checkpoint is saved, without the measurements
            raise _StoppedError


def sentence(error: Exception) -> str:
    """What a page says about the error that ended a run."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DISK_FULL
    if lacks_memory(error):
        return OUT_OF_MEMORY
    return error.for_visitors if isinstance(error, MicroGPTError) else UNEXPECTED


def main(folder: Path) -> None:
    events = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # nothing else may write among the events

    def report(kind: str, value: Any) -> None:
        try:
            print(json.dumps({kind: value}), file=events, flush=True)
        except BrokenPipeError:  # the server has ended
            os._exit(1)

    request = Request.from_json(sys.stdin.readline())
    control = Control(sys.stdin, lambda: os._exit(1))
    try:
        torch.set_num_threads(1)
        limit_process(request.limits)
        Training(folder, request, control, report).run()
    except Exception as error:
        report("error", sentence(error))
        if not isinstance(error, MicroGPTError):
            traceback.print_exc()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The worker's parts in this process; tests/training/test_jobs.py starts real ones."""

import dataclasses
import hashlib
import json
import queue

import pytest

from microgpt import checkpoint
from microgpt.analysis.baselines import NAMES
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint.loss_record import LossRow, from_csv, to_csv
from microgpt.errors import MicroGPTError
from microgpt.training.folder import RunFolder
from microgpt.training.job_limits import Limits
from microgpt.training.loop import TrainError
from microgpt.training.run import train_checkpoint
from microgpt.training.snapshots import snapshot_steps
from microgpt.training.worker import (
    CHECKPOINT,
    DISK_FULL,
    OUT_OF_MEMORY,
    TEXT,
    UNEXPECTED,
    Control,
    Request,
    Training,
    sentence,
)
from tests.training.small_job import SHAPE, SHORT, SOURCE

STEPS = SHORT.steps


def request(corpus: str, **changes: object) -> Request:
    digest = hashlib.sha256(corpus.encode()).hexdigest()
    made = Request(SHAPE, SHORT, SOURCE, digest, 300.0, Limits())
    return dataclasses.replace(made, **changes)


class Server:
    """The other end of a worker: it sends commands, and keeps the events."""

    def __init__(self):
        self.events: list[tuple[str, object]] = []
        self.closed = queue.Queue()
        self._commands = queue.Queue()
        self.control = Control(self._sent(), lambda: self.closed.put(True))

    def _sent(self):
        while (command := self._commands.get()) is not None:
            yield command
            self._commands.task_done()  # the worker has taken note of it

    def send(self, command: str | None, wait: bool = True) -> None:
        self._commands.put(command)
        if wait:
            self._commands.join()

    def report(self, name: str, value: object) -> None:
        self.events.append((name, json.loads(json.dumps(value))))

    def of(self, name: str) -> list:
        return [value for kind, value in self.events if kind == name]


def trained(folder, corpus, server=None, **changes):
    server = server or Server()
    (folder / TEXT).write_text(corpus, encoding="utf-8", newline="")
    Training(folder, request(corpus, **changes), server.control, server.report).run()
    return server


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """The folder of a run that trained to its end, and the other end of it."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, trained(folder, corpus)


def test_a_request_survives_the_pipe(corpus):
    sent = request(corpus, recover=True)
    assert "\n" not in sent.to_json()
    assert Request.from_json(sent.to_json()) == sent


def test_the_events_are_the_record_the_samples_and_the_scores_of_the_run(whole, corpus, tmp_path):
    folder, server = whole
    made = checkpoint.load(folder / CHECKPOINT)
    rows = [LossRow(**value) for value in server.of("row")]
    assert from_csv(to_csv(rows)) == made.loss_record
    (baselines,) = server.of("baselines")
    assert tuple(baselines) == NAMES and baselines == pytest.approx(
        made.baselines.val_loss, abs=1e-3
    )
    steps = snapshot_steps(STEPS, SHORT.snapshot_count)
    samples = {value["step"]: value["text"] for value in server.of("sample")}
    decoded = map(made.tokenizer.decode, made.snapshots.samples)
    assert {step: samples[step] for step in steps} == dict(zip(steps, decoded, strict=True))
    assert made.snapshot_scores.steps == [value["step"] for value in server.of("scores")] == steps
    last = HeadScores.from_json(server.of("scores")[-1]["scores"], SHAPE.n_layer, SHAPE.n_head)
    assert last.values == made.snapshot_scores.scores[-1].values
    assert made.head_scores is not None and made.training.data == SOURCE.data
    assert [name for name, _ in server.events][-1] == "end"
    assert server.of("state") == ["finishing"] and not server.of("note")


def test_watching_a_run_does_not_change_it(whole, corpus, tmp_path):
    for _ in train_checkpoint(corpus, SHAPE, SHORT, tmp_path / "out", device="cpu"):
        pass
    alone, watched = (checkpoint.load(each) for each in (tmp_path / "out", whole[0] / CHECKPOINT))
    assert alone.weights_sha256 == watched.weights_sha256


def test_a_window_of_one_character_has_no_head_scores(corpus, tmp_path):
    one = dataclasses.replace(SHAPE, block_size=1)
    server = trained(tmp_path, corpus, model=one)
    assert not server.of("scores") and server.of("sample")
    made = checkpoint.load(tmp_path / CHECKPOINT)
    assert made.snapshot_scores is None and made.snapshots is not None


@pytest.mark.parametrize("content", [b"another text", b"\xff\xfe", None])
def test_a_text_that_changed_or_is_gone_is_named_without_its_path(corpus, tmp_path, content):
    if content is not None:
        (tmp_path / TEXT).write_bytes(content)
    server = Server()
    with pytest.raises(TrainError) as raised:
        Training(tmp_path, request(corpus), server.control, server.report).run()
    assert sentence(raised.value) == (
        "the text of this run changed on the server; start the run again"
    )


def test_a_run_at_its_time_limit_is_kept_and_says_so(corpus, tmp_path):
    server = trained(tmp_path, corpus, seconds=0.0)
    (note,) = server.of("note")
    assert note == "the run ended early, because it reached the limit of this server, 0 minutes"
    assert checkpoint.load(tmp_path / CHECKPOINT).training.steps < STEPS
    assert server.of("end") == [None] and server.of("state") == ["finishing"]


def test_a_paused_run_waits_and_goes_on(corpus, tmp_path):
    class Pausing(Server):
        def report(self, name: str, value: object) -> None:
            super().report(name, value)
            pauses = self.of("state").count("paused")
            if name == "row" and value["step"] == 10 * (pauses + 1):
                self.send("pause")
            if (name, value) == ("state", "paused"):
                self.send("go on" if pauses == 1 else "stop", wait=False)

    server = trained(tmp_path, corpus, Pausing())
    assert server.of("state") == ["paused", "training", "paused", "training", "finishing"]
    assert server.of("end") == [None] and server.of("row")[-1]["step"] == 20
    assert checkpoint.load(tmp_path / CHECKPOINT).training.steps == 20


def test_stop_during_the_measurements_leaves_them_out(corpus, tmp_path):
    class Stopping(Server):
        def report(self, name: str, value: object) -> None:
            super().report(name, value)
            if (name, value) == ("state", "finishing"):
                self.control.stopped = True

    server = trained(tmp_path, corpus, Stopping())
    made = checkpoint.load(tmp_path / CHECKPOINT)
    assert made.training.steps == STEPS and made.training.val_loss_full is None
    assert made.snapshot_scores is not None and server.of("end") == [None]


def test_the_end_of_the_commands_is_noticed_while_the_run_is_paused():
    server = Server()
    server.send("pause")
    server.send(None, wait=False)
    assert server.closed.get(timeout=60)


def killed_at(corpus, folder, step):
    """Leave a run as a worker does that is killed after a step: with its state."""
    (folder / TEXT).write_text(corpus, encoding="utf-8", newline="")
    rows = train_checkpoint(corpus, SHAPE, SHORT, folder / CHECKPOINT, device="cpu")
    next(row for row in rows if row.step == step)
    rows.close()


def test_recovering_saves_the_last_state_and_trains_no_further(corpus, tmp_path):
    killed_at(corpus, tmp_path, 25)
    server = trained(tmp_path, corpus, recover=True)
    assert checkpoint.load(tmp_path / CHECKPOINT).training.steps == 22  # of the last snapshot
    assert server.of("state") == ["finishing"] and not server.of("row")


def test_a_text_that_changed_is_not_trained_on(corpus, tmp_path):
    killed_at(corpus, tmp_path, 25)
    (tmp_path / TEXT).write_text(corpus.replace("a", "b"), encoding="utf-8")
    server = Server()
    for recover in (False, True):
        asked = request(corpus, recover=recover)
        with pytest.raises(TrainError, match="the text of this run changed"):
            Training(tmp_path, asked, server.control, server.report).run()


def test_a_full_disk_ends_in_a_sentence_and_the_state_is_kept(corpus, tmp_path, full_disk):
    with pytest.raises(Exception) as raised, full_disk():
        trained(tmp_path, corpus)
    assert sentence(raised.value) == DISK_FULL
    with pytest.raises(Exception) as raised, full_disk():
        killed_at(corpus, tmp_path, 25)
    assert sentence(raised.value) == DISK_FULL
    assert not RunFolder(tmp_path / CHECKPOINT).state.exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), OUT_OF_MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), OUT_OF_MEMORY),
        (RuntimeError("std::bad_alloc"), OUT_OF_MEMORY),
        (MicroGPTError("for the operator", "for visitors"), "for visitors"),
        (ValueError("a mistake of ours"), UNEXPECTED),
        (OSError(28, "No space left on device"), DISK_FULL),
        (OSError(13, "Permission denied"), UNEXPECTED),
    ],
)
def test_errors_are_sentences(error, said):
    assert sentence(error) == said

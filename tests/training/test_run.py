import contextlib
import dataclasses
import hashlib
import io
import math
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis.loss import full_loss
from microgpt.checkpoint import loss_record
from microgpt.cli import main
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import read_text, split
from microgpt.model import GPT
from microgpt.training.run import train_checkpoint
from microgpt.training.snapshots import snapshot_steps
from tests.training.small_run import SETTINGS, arguments

ROOT = Path(__file__).parents[2]


def test_the_command_writes_a_checkpoint_that_says_how_it_was_made(trained, corpus_file, corpus):
    loaded = checkpoint.load(trained)
    training = loaded.training
    assert loaded.tokenizer.characters == "".join(sorted(set(corpus)))
    assert (loaded.config.n_layer, loaded.config.n_head, loaded.config.n_embd) == (2, 2, 16)
    assert loaded.config.block_size == 16
    assert training.config.steps == training.steps == 40
    assert training.config.ema_decay == 0.9
    assert training.tokens == 40 * 4 * 16
    assert training.preset == "tiny"
    told = " ".join(arguments(Path("words.txt"), Path("words")))  # the names, not the folders
    assert training.command == f"python -m microgpt {told}"
    assert training.data == "words.txt"
    assert training.data_sha256 == hashlib.sha256(corpus.encode()).hexdigest()
    assert training.seconds > 0
    assert training.hardware.endswith("threads")
    assert training.torch == torch.__version__
    assert len(training.finished.split("-")) == 3


def test_the_command_measures_what_it_saved(trained, corpus_file):
    loaded = checkpoint.load(trained)
    parts = split(loaded.tokenizer.encode(read_text(corpus_file)), 16)
    loss = full_loss(loaded.model, parts.val)
    assert loaded.training.val_loss_full == pytest.approx(loss, abs=5.1e-5)
    assert f"{loaded.training.val_loss_full:.4f}" in (trained / "README.md").read_text()
    assert loss < math.log(loaded.config.vocab_size) - 0.2  # it has learned something


def test_the_last_measurement_shows_how_far_it_is(corpus_file, tmp_path, capsys):
    assert main(arguments(corpus_file, tmp_path / "out", steps=1)) == 0
    assert "val_loss_full: 100%" in capsys.readouterr().err


def test_the_text_is_read_once_and_hashed_as_it_stands(corpus, tmp_path):
    """From a pipe, which gives its text only once; a mark and line ends of any kind are kept."""
    data = ("\ufeff" + corpus.replace("\n", "\r\n", 50) + "\r").encode()
    command = [sys.executable, "-m", "microgpt"]
    command += arguments(Path("/dev/stdin"), tmp_path / "out", steps=1)
    done = subprocess.run(command, cwd=ROOT, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = checkpoint.load(tmp_path / "out")
    assert loaded.training.data_sha256 == hashlib.sha256(data).hexdigest()
    assert {"\ufeff", "\r"} < set(loaded.tokenizer.characters)


def test_the_command_keeps_the_record_beside_the_run_and_in_the_checkpoint(trained):
    rows = checkpoint.load(trained).loss_record
    looked_at = set(snapshot_steps(40))
    assert {row.step for row in rows} == {*range(0, 41, 5)} | looked_at
    assert {row.step for row in rows if row.val_loss is not None} == {0, 20, 40} | looked_at
    kept = trained.with_name("words.state") / "loss_record.csv"
    assert kept.read_text() == (trained / "loss_record.csv").read_text()
    assert sorted(path.name for path in trained.parent.iterdir()) == ["words", "words.state"]


def test_an_interrupted_run_resumes_to_the_same_weights(corpus_file, tmp_path):
    changes = {"steps": 300, "eval_interval": 50}
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    assert main(arguments(corpus_file, whole, **changes)) == 0

    stopped = arguments(corpus_file, out, **changes)
    command = [sys.executable, "-m", "microgpt", *stopped]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        next(line for line in process.stderr if "step 50: train" in line)
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert process.returncode == 0
    early = checkpoint.load(out)
    assert 50 <= early.training.steps < 300
    assert early.training.val_loss_full is None
    assert early.loss_record[-1].step <= early.training.steps
    assert "interrupted" in (out / "README.md").read_text()
    state = torch.load(tmp_path / "stopped.state" / "state.pt", weights_only=True)
    assert state["step"] == early.training.steps

    assert main([*stopped, "--resume"]) == 0
    expected, resumed = checkpoint.load(whole), checkpoint.load(out)
    assert resumed.weights_sha256 == expected.weights_sha256
    assert resumed.training.val_loss_full == expected.training.val_loss_full
    clocks = {"seconds": 0.0, "wall_seconds": None}
    assert [dataclasses.replace(row, **clocks) for row in resumed.loss_record] == [
        dataclasses.replace(row, **clocks) for row in expected.loss_record
    ]
    kept = tmp_path / "stopped.state" / "loss_record.csv"
    assert loss_record.from_csv(kept.read_text()) == resumed.loss_record


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_records_the_same_losses(corpus_file, tmp_path):
    def losses(out: Path, *more: str) -> list[tuple[float | None, ...]]:
        command = arguments(corpus_file, out, *more, dropout=0.0, steps=5)
        assert main(command) == 0
        rows = checkpoint.load(out).loss_record
        return [(row.batch_loss or 0.0, row.train_loss, row.val_loss) for row in rows]

    compiled = losses(tmp_path / "compiled", "--compile")
    plain = losses(tmp_path / "plain")
    torch.testing.assert_close(torch.tensor(compiled), torch.tensor(plain), atol=1e-4, rtol=0)


class _InterruptsAt(io.StringIO):
    """A stream that sends this process SIGINT when it is given some text."""

    def __init__(self, text: str):
        super().__init__()
        self.text = text

    def write(self, text: str) -> int:
        if self.text in text:
            self.text = "\0"
            signal.raise_signal(signal.SIGINT)
        return super().write(text)


def test_an_interrupt_ends_the_measurements_at_once(corpus_file, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", _InterruptsAt("val_loss_full"))
    assert main(arguments(corpus_file, tmp_path / "out", steps=1)) == 130
    assert checkpoint.load(tmp_path / "out").training.val_loss_full is None
    assert main(arguments(corpus_file, tmp_path / "out", "--resume", steps=1)) == 0
    assert checkpoint.load(tmp_path / "out").training.val_loss_full is not None


def test_a_consumer_that_leaves_at_an_evaluation_finds_its_state_saved(corpus, tmp_path):
    fields = {field.name for field in dataclasses.fields(GPTConfig)}
    model = GPTConfig(**{k: v for k, v in SETTINGS.items() if k in fields})
    config = TrainConfig(**{k: v for k, v in SETTINGS.items() if k not in fields})
    with contextlib.closing(train_checkpoint(corpus, model, config, tmp_path / "out")) as rows:
        next(row for row in rows if row.step == 20)
    state = torch.load(tmp_path / "out.state" / "state.pt", weights_only=True)
    assert state["step"] == 20


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end with exit code 2 and one sentence; return the sentence."""
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "text.txt: No such file"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "the text is empty"),
        (b"short", "has 5 characters; a context window of 16 needs at least 161"),
        ("".join(chr(0x4E00 + i) for i in range(1025)).encode(), "1025 different characters"),
    ],
    ids=["missing", "binary", "empty", "short", "many characters"],
)
def test_a_text_that_cannot_be_used_is_refused(tmp_path, capsys, content, message):
    data = tmp_path / "text.txt"
    if content is not None:
        data.write_bytes(content)
    (tmp_path / "runs").mkdir()
    sentence = refused(arguments(data, tmp_path / "runs" / "out"), capsys)
    assert message in sentence
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("nonsense=1", "--set nonsense=1: there is no such setting; write NAME=VALUE"),
        ("steps", "--set steps: there is no such setting"),
        ("vocab_size=65", "there is no such setting"),
        ("steps=0", "steps is 0; it must be between 1 and"),
        ("steps=many", "steps is 'many'; it must be a whole number"),
        pytest.param(
            "steps=" + "[" * 100_000, "steps is '[[[[[[[[[[[[...[[[[[[[[[[[[[", id="brackets"
        ),
        ("steps=1e3", "steps is 1000.0; it must be a whole number"),
        ("learning_rate=NaN", "learning_rate is nan"),
        ("optimizer=newton", "optimizer is 'newton'; it must be adamw"),
        ("n_embd=15", "n_embd is 15; it must be a multiple of n_head, 2"),
    ],
)
def test_a_setting_that_cannot_be_set_is_refused(corpus_file, tmp_path, capsys, pair, message):
    command = [*arguments(corpus_file, tmp_path / "out"), "--set", pair]
    assert message in refused(command, capsys)
    assert list(tmp_path.iterdir()) == []


def test_settings_that_fit_only_together_are_set_together(corpus_file, tmp_path):
    shape = {"n_embd": 15, "n_head": 5, "steps": 1}
    assert main(arguments(corpus_file, tmp_path / "out", **shape)) == 0
    assert checkpoint.load(tmp_path / "out").config.n_head == 5


def test_what_is_there_is_not_overwritten(corpus_file, tmp_path, capsys, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    assert "already exists" in refused(arguments(corpus_file, tmp_path / "out"), capsys)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine"]
    monkeypatch.chdir(tmp_path)
    assert "already exists" in refused(arguments(corpus_file, Path()), capsys)


def test_a_run_is_resumed_only_where_there_is_one_and_as_it_was(
    trained, corpus_file, tmp_path, capsys
):
    command = arguments(corpus_file, tmp_path / "out", "--resume")
    assert "nothing to resume" in refused(command, capsys)
    assert list(tmp_path.iterdir()) == []

    state = trained.with_name("words.state")
    before = {path: path.read_bytes() for path in state.rglob("*.*")}
    command = arguments(corpus_file, trained, "--resume", steps=50)
    assert "other settings" in refused(command, capsys)
    assert {path: path.read_bytes() for path in state.rglob("*.*")} == before


def test_a_folder_that_cannot_be_made_is_named(corpus_file, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    command = arguments(corpus_file, tmp_path / "file" / "out")
    assert "cannot write" in refused(command, capsys)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's prlimit")
def test_a_disk_that_fills_up_ends_the_run_and_keeps_the_last_state(corpus_file, tmp_path):
    import resource  # not on Windows

    command = [sys.executable, "-m", "microgpt"]
    command += arguments(corpus_file, tmp_path / "out", steps=100_000, eval_interval=50)
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        next(line for line in process.stderr if "step 50: train" in line)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        *_, last = process.stderr
    assert process.returncode == 2
    state_path = tmp_path / "out.state" / "state.pt"
    assert last == f"error: cannot write {state_path}: File too large\n"
    assert torch.load(state_path, weights_only=True)["step"] % 50 == 0
    assert not (tmp_path / "out").exists()
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == [
        "loss_record.csv",
        "out.state",
        "state.pt",
        "step_00000000.safetensors",
    ]


@pytest.mark.parametrize("content", [["a", "list"], {"a": 1}], ids=str)
def test_a_state_of_something_else_is_refused(corpus_file, tmp_path, capsys, content):
    (tmp_path / "out.state").mkdir()
    torch.save(content, tmp_path / "out.state" / "state.pt")
    command = arguments(corpus_file, tmp_path / "out", "--resume")
    assert "state.pt cannot be read" in refused(command, capsys)


def test_a_gpu_that_is_full_is_one_sentence(corpus_file, tmp_path, capsys, monkeypatch):
    def full(*args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nMore")

    monkeypatch.setattr(GPT, "to", full)
    sentence = refused(arguments(corpus_file, tmp_path / "out"), capsys)
    assert (
        "too little free memory; pass --device cpu, or train with a smaller batch_size" in sentence
    )


def test_a_device_that_is_not_there_is_refused(corpus_file, tmp_path, capsys):
    command = [*arguments(corpus_file, tmp_path / "out"), "--device", "abacus"]
    assert "pass cpu or cuda" in refused(command, capsys)
    assert list(tmp_path.iterdir()) == []

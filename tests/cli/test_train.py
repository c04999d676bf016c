import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint, tasks
from microgpt.checkpoint import loss_record
from microgpt.cli import main
from microgpt.training.folder import RunFolder
from tests.folders import contents, names
from tests.small_run import STEPS, train_command, without_times

ROOT = Path(__file__).parents[2]
MICROGPT = [sys.executable, "-m", "microgpt"]


def test_the_checkpoint_records_how_it_was_made(trained_checkpoint, corpus):
    loaded = checkpoint.load(trained_checkpoint)
    training = loaded.training
    assert loaded.tokenizer.characters == "".join(sorted(set(corpus)))
    assert (loaded.config.n_layer, loaded.config.n_head, loaded.config.n_embd) == (2, 2, 16)
    assert loaded.config.block_size == 16
    assert training.config.steps == training.steps == STEPS
    assert training.config.ema_decay == 0.9
    assert training.tokens == STEPS * 4 * 16
    assert training.preset == "tiny"
    command = " ".join(train_command(Path("words.txt"), Path("words")))  # names without folders
    assert training.command == f"python -m microgpt {command}"
    assert training.data == "words.txt"
    assert training.data_sha256 == hashlib.sha256(corpus.encode()).hexdigest()
    assert training.seconds > 0
    assert training.hardware.endswith(("thread", "threads"))
    assert training.torch == torch.__version__
    assert len(training.finished.split("-")) == 3


def test_the_progress_of_the_measurements_is_shown(corpus_file, tmp_path, capsys):
    assert main(train_command(corpus_file, tmp_path / "out", steps=1)) == 0
    err = capsys.readouterr().err
    assert "val_loss_full: 100%" in err and "heads: 100%" in err


@pytest.mark.skipif(sys.platform == "win32", reason="needs /dev/stdin")
def test_the_text_is_read_once_and_hashed_without_changes(corpus, tmp_path):
    """A pipe gives its text only once. A byte order mark and all line endings stay, with a note."""
    data = ("\ufeff" + corpus.replace("\n", "\r\n", 50) + "\r").encode()
    command = [*MICROGPT, *train_command(Path("/dev/stdin"), tmp_path / "out", steps=1)]
    done = subprocess.run(command, cwd=ROOT, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = checkpoint.load(tmp_path / "out")
    assert loaded.training.data_sha256 == hashlib.sha256(data).hexdigest()
    assert {"\ufeff", "\r"} < set(loaded.tokenizer.characters)
    notes = [line for line in done.stderr.decode().splitlines() if line.startswith("note: ")]
    assert [line.split(" (")[0] for line in notes] == [
        "note: the text has a byte order mark",
        "note: the text has Windows line endings",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT to another process")
def test_an_interrupted_run_resumes_to_the_same_weights(corpus_file, tmp_path):
    settings = {"steps": 300, "eval_interval": 50}
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    assert main(train_command(corpus_file, whole, **settings)) == 0

    arguments = train_command(corpus_file, out, **settings)
    command = [*MICROGPT, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        next(line for line in process.stderr if "step 50: train" in line)
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert process.returncode == 0
    early = checkpoint.load(out)
    assert 50 <= early.training.steps < 300
    assert early.training.val_loss_full is None
    assert early.loss_record[-1].step <= early.training.steps
    assert "interrupted" in (out / "README.md").read_text("utf-8")
    state = torch.load(RunFolder(out).state, weights_only=True)
    assert state["step"] == early.training.steps

    assert main([*arguments, "--resume"]) == 0
    expected, resumed = checkpoint.load(whole), checkpoint.load(out)
    assert resumed.weights_sha256 == expected.weights_sha256
    assert resumed.training.val_loss_full == expected.training.val_loss_full
    assert without_times(resumed.loss_record) == without_times(expected.loss_record)
    kept = RunFolder(out).loss_record.read_text()
    assert loss_record.from_csv(kept) == resumed.loss_record


class ActingStream(io.StringIO):
    """Calls a function when a given text is written for the first time."""

    def __init__(self, text: str, act: Callable[[], object]):
        super().__init__()
        self.text, self.act = text, act

    def write(self, text: str) -> int:
        if self.text in text:
            self.text = "\0"
            self.act()
        return super().write(text)


def test_an_interrupt_ends_the_measurements_at_once(corpus_file, tmp_path, monkeypatch):
    out = tmp_path / "out"
    stderr = ActingStream("val_loss_full", lambda: signal.raise_signal(signal.SIGINT))
    monkeypatch.setattr(sys, "stderr", stderr)
    assert main(train_command(corpus_file, out, steps=1)) == 130
    assert checkpoint.load(out).training.val_loss_full is None
    assert main(train_command(corpus_file, out, "--resume", steps=1)) == 0
    assert checkpoint.load(out).training.val_loss_full is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "text.txt cannot be read: No such file"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "the text is empty"),
        (b"short", "needs a text of at least 161 characters; this one has 5"),
        ("".join(chr(0x4E00 + i) for i in range(4097)).encode(), "4,097 different characters"),
    ],
    ids=["missing", "binary", "empty", "short", "many characters"],
)
def test_an_unusable_text_is_an_error(tmp_path, command_error, content, message):
    data = tmp_path / "text.txt"
    if content is not None:
        data.write_bytes(content)
    (tmp_path / "runs").mkdir()
    assert message in command_error(*train_command(data, tmp_path / "runs" / "out"))
    assert names(tmp_path / "runs") == set()


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--set", "steps=0"], "steps is 0"), (["--device", "abacus"], "pass cpu or cuda")],
    ids=str,
)
def test_invalid_options_are_errors_and_write_no_files(
    corpus_file, tmp_path, command_error, options, message
):
    assert message in command_error(*train_command(corpus_file, tmp_path / "out", *options))
    assert names(tmp_path) == set()


def test_an_existing_folder_is_not_overwritten(corpus_file, tmp_path, command_error, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("unchanged")
    assert "already exists" in command_error(*train_command(corpus_file, out))
    assert names(tmp_path) == {"out"} and contents(out) == {"mine": b"unchanged"}
    monkeypatch.chdir(tmp_path)
    assert "already exists" in command_error(*train_command(corpus_file, Path()))


def test_only_an_existing_run_with_the_same_settings_is_resumed(
    trained_checkpoint, corpus_file, tmp_path, command_error
):
    error = command_error(*train_command(corpus_file, tmp_path / "out", "--resume"))
    assert "nothing to resume" in error
    assert names(tmp_path) == set()

    state = RunFolder(trained_checkpoint).folder
    before = {path: path.read_bytes() for path in state.rglob("*.*")}
    command = train_command(corpus_file, trained_checkpoint, "--resume", n_embd=32, batch_size=8)
    refusal = "cannot change n_embd from 16 to 32, batch_size from 4 to 8; keep the old value"
    assert refusal in command_error(*command)
    assert {path: path.read_bytes() for path in state.rglob("*.*")} == before


def test_a_run_is_trained_longer(corpus_file, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(train_command(corpus_file, out, steps=4)) == 0
    assert main(train_command(corpus_file, out, "--resume", steps=6)) == 0
    assert "changed settings: at step 4: steps from 4 to 6\n" in capsys.readouterr().err
    assert checkpoint.load(out).training.steps == 6


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_of_files_need_not_be_utf8(corpus_file, tmp_path):
    out = tmp_path / os.fsdecode(b"caf\xe9")
    data = Path(shutil.copy(corpus_file, tmp_path / os.fsdecode(b"\xe9.txt")))
    command = [*MICROGPT, *train_command(data, out, steps=1)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    training = checkpoint.load(out).training
    assert (training.steps, training.data) == (1, "?.txt")


def test_a_folder_that_cannot_be_made_is_an_error(corpus_file, tmp_path, command_error):
    (tmp_path / "file").write_text("")
    error = command_error(*train_command(corpus_file, tmp_path / "file" / "out"))
    assert "cannot write" in error


def test_an_error_names_the_path_that_is_missing(corpus_file, tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "out")
    stderr = ActingStream("step 20: train", lambda: run.folder.rename(tmp_path / "moved"))
    monkeypatch.setattr(sys, "stderr", stderr)
    assert main(train_command(corpus_file, run.out, steps=100_000)) == 2
    *_, last = stderr.getvalue().splitlines()
    assert last == f"error: cannot write {run.loss_record}: No such file or directory"


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's prlimit")
def test_a_full_disk_ends_the_run_and_keeps_the_last_state(corpus_file, tmp_path):
    import resource  # not on Windows

    run = RunFolder(tmp_path / "out")
    arguments = train_command(corpus_file, run.out, steps=100_000, eval_interval=50)
    command = [*MICROGPT, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        next(line for line in process.stderr if "step 50: train" in line)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        *_, last = process.stderr
    assert process.returncode == 2
    assert last == f"error: cannot write {run.state}: File too large\n"
    assert torch.load(run.state, weights_only=True)["step"] % 50 == 0
    assert not run.out.exists()
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == [
        "loss_record.csv",
        "out.state",
        "state.pt",
        "step_00000000.safetensors",
    ]


def test_rare_characters_are_folded_and_the_text_can_be_evaluated(corpus, tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text(corpus + "龘x龘y", encoding="utf-8", newline="")
    out = tmp_path / "out"
    assert main(train_command(text, out, "--rare", "2", steps=1)) == 0
    loaded = checkpoint.load(out)
    characters = set(loaded.tokenizer.characters)
    assert {"龘", "\ufffd"} < characters and not {"x", "y"} & characters
    assert loaded.training.config.rare == 2
    assert loaded.training.data_sha256 == hashlib.sha256(text.read_bytes()).hexdigest()
    capsys.readouterr()
    assert main(["evaluate", "--checkpoint", str(out), "--data", str(text)]) == 0
    assert f'"val_loss_full": {loaded.training.val_loss_full}' in capsys.readouterr().out


def test_a_task_needs_no_text_when_it_is_trained_and_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tasks, "LENGTH", 5000)
    data, out = ["--data", "words.txt"], tmp_path / "out"
    command = [word for word in train_command(Path(data[1]), out, steps=3) if word not in data]
    assert main([*command, "--task", "repeats"]) == 0
    loaded = checkpoint.load(out)
    text = tasks.task_text(loaded.training.config)
    assert loaded.training.data == "Repeated letters"
    assert loaded.training.data_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert loaded.passage in text
    capsys.readouterr()
    opened = ["--checkpoint", str(out)]
    assert main(["evaluate", *opened, "--write"]) == 0
    assert f'"val_loss_full": {loaded.training.val_loss_full}' in capsys.readouterr().out
    assert main(["heads", *opened, "--write"]) == 0
    assert main(["snapshots", *opened, "--head-scores"]) == 0
    assert checkpoint.load(out).snapshot_scores.steps == loaded.snapshots.steps.tolist()


def test_a_text_and_a_task_exclude_each_other(corpus_file, tmp_path, command_error):
    command = train_command(corpus_file, tmp_path / "out", "--task", "repeats")
    assert "the task repeats makes its own text; leave out" in command_error(*command)
    assert names(tmp_path) == set()


def test_a_text_with_too_many_characters_names_the_option_that_folds_them(tmp_path, command_error):
    text = tmp_path / "text.txt"
    twice = "".join(map(chr, range(0x4E00, 0x4E00 + 4000)))
    text.write_text(2 * twice + "".join(map(chr, range(0x6000, 0x6100))), encoding="utf-8")
    error = command_error(*train_command(text, tmp_path / "out"))
    assert "4,256 different characters" in error and "pass --rare 2 " in error
    assert not (tmp_path / "out").exists()

"""A run that was killed resumes to the same files as one that was not."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt import checkpoint, hub
from microgpt.checkpoint import CheckpointError
from microgpt.cli import main
from microgpt.training.folder import RunFolder
from microgpt.training.loop import TrainError
from tests import small_run
from tests.small_run import without_times
from tests.test_atomic import kill

ROOT = Path(__file__).parents[2]
train_command = functools.partial(small_run.train_command, optimizer="muon")
# Run the command with the output whole/out, and count its calls that flush or rename a file. Then,
# for some N, run it again with the output N/out, and kill it at the N-th of these calls. Every run
# is a fork, so that PyTorch is imported once.
DRIVER = """
import os, pathlib, signal, sys
import torch._dynamo  # before the forks; optimizers import it late
from microgpt.cli import main

folder, data, *settings = sys.argv[1:]
folder = pathlib.Path(folder)
calls = 0

def counted(function, last):
    def call(*args):
        global calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args)
    return call

def run(name, last=0):
    (folder / name).mkdir()
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.fsync, os.replace = counted(os.fsync, last), counted(os.replace, last)
    code = main(["train", "--data", data, "--out", str(folder / name / "out"), *settings])
    (folder / "calls").write_text(str(calls))
    os._exit(code)

assert run("whole") == 0
total = int((folder / "calls").read_text())
for last in (2, 7, total // 2, total - 1, total):  # 7: the first state is renamed
    assert run(str(last), last) == -signal.SIGKILL
"""


def assert_complete_or_absent(out: Path, expected: Path) -> None:
    """Assert that a killed run left the complete checkpoint or none."""
    try:
        weights = checkpoint.load(out).weights_sha256
    except CheckpointError as error:
        assert "no checkpoint folder" in str(error)
    else:
        assert weights == checkpoint.load(expected).weights_sha256


def resume(command: list[str], out: Path) -> None:
    """Resume a run that was killed, or start it again if it had saved no state yet."""
    state = out.with_name(f"{out.name}.state") / "state.pt"
    assert main([*command, "--resume"] if state.exists() else command) == 0
    assert not list(state.parent.rglob("*.partial")), "partial files are removed"


def assert_same_files(out: Path, expected: Path) -> None:
    """Assert that two checkpoints are the same, except for the times in their records."""
    for name in ("model.safetensors", "snapshots.npz", "tokenizer.json", "baselines.json"):
        assert (out / name).read_bytes() == (expected / name).read_bytes(), name
    resumed, whole = checkpoint.load(out), checkpoint.load(expected)
    assert without_times(resumed.loss_record) == without_times(whole.loss_record)
    assert resumed.training.steps == resumed.training.config.steps
    assert resumed.training.val_loss_full == whole.training.val_loss_full
    record = out.with_name(f"{out.name}.state") / "loss_record.csv"
    assert record.read_bytes() == (out / "loss_record.csv").read_bytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_run_killed_during_a_write_resumes_to_the_same_files(corpus_file, tmp_path):
    settings = train_command(corpus_file, Path(), steps=5)[5:]
    command = [sys.executable, "-c", DRIVER, str(tmp_path), str(corpus_file), *settings]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

    whole = tmp_path / "whole" / "out"
    outs = [folder / "out" for folder in tmp_path.iterdir() if folder.name.isdigit()]
    assert len(outs) == 5
    # The runs were killed during the writing of a state and of a checkpoint, and between them.
    files = {path.name for out in outs for path in out.parent.rglob("*")}
    assert {"state.pt", "out", "model.safetensors"} <= files
    assert any(name.startswith(".state.pt.") for name in files)
    assert any(name.startswith(".out.") for name in files)
    for out in outs:
        assert_complete_or_absent(out, whole)
        resume(train_command(corpus_file, out, steps=5), out)
        assert_same_files(out, whole)
        assert {path.name for path in out.parent.iterdir()} == {"out", "out.state"}


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and flock")
def test_a_checkpoint_is_found_although_its_replacement_was_killed(checkpoint_copy, capsys):
    weights = checkpoint.load(checkpoint_copy).weights_sha256

    def generate() -> None:
        assert main(["generate", "--checkpoint", str(checkpoint_copy), "--tokens", "3"]) == 0
        assert len(capsys.readouterr().out) > 3

    def train() -> None:
        with pytest.raises(TrainError, match="already exists"):
            RunFolder(checkpoint_copy).check(resume=False)

    def write_scores() -> None:
        arguments = ["heads", "--checkpoint", str(checkpoint_copy), "--write"]
        assert main([*arguments, "--data", str(checkpoint_copy / "missing")]) == 2
        assert "cannot be read" in capsys.readouterr().err  # the text, not the folder

    def open_any() -> None:
        assert hub.open_checkpoint(str(checkpoint_copy)).weights_sha256 == weights

    for use in (lambda: checkpoint.load(checkpoint_copy), generate, train, write_scores, open_any):
        kill("folder", checkpoint_copy, 2)
        assert not checkpoint_copy.exists()
        use()
        assert checkpoint.load(checkpoint_copy).weights_sha256 == weights


def test_a_run_killed_twice_resumes_to_the_same_files(corpus_file, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert main(train_command(corpus_file, whole, optimizer="adamw")) == 0
    arguments = train_command(corpus_file, out, optimizer="adamw")
    for step, options in ((6, []), (19, ["--resume"])):
        command = [sys.executable, "-m", "microgpt", *arguments, *options]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            next(line for line in process.stderr if f"step {step}: train" in line)
            process.kill()
        assert process.returncode != 0
        assert_complete_or_absent(out, whole)
    resume(arguments, out)
    assert_same_files(out, whole)

"""A run that SIGKILL ends, at any moment, resumes to the same bytes as one that was not killed."""

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt import checkpoint
from microgpt.checkpoint import CheckpointError
from microgpt.cli import main
from tests import small_run
from tests.small_run import without_times

ROOT = Path(__file__).parents[2]
train_command = functools.partial(small_run.train_command, optimizer="muon")
# Runs the command into whole/out, and counts how often it flushes a file to the disk or renames
# one; then into N/out for some of these calls, each killed by itself at its N-th. Forked, so that
# PyTorch is imported once.
DRIVER = """
import os, pathlib, signal, sys
import torch._dynamo  # which PyTorch's optimisers import late
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
for last in (2, total // 3, 2 * total // 3, total - 1, total):
    assert run(str(last), last) == -signal.SIGKILL
"""


def check_whole_or_absent(out: Path, expected: Path) -> None:
    """What a killed run left at out is the whole checkpoint or nothing at all."""
    if out.exists():
        weights = checkpoint.load(out).weights_sha256
        assert weights == checkpoint.load(expected).weights_sha256
    else:
        with pytest.raises(CheckpointError, match="no checkpoint folder"):
            checkpoint.load(out)


def go_on(command: list[str], out: Path) -> None:
    """Resume a run that was killed, or start it again if it had saved no state yet."""
    state = out.with_name(f"{out.name}.state") / "state.pt"
    assert main([*command, "--resume"] if state.exists() else command) == 0
    assert not list(state.parent.rglob("*.partial"))  # what the killed writer left is removed


def check_same(out: Path, expected: Path) -> None:
    for name in ("model.safetensors", "snapshots.npz", "tokenizer.json", "baselines.json"):
        assert (out / name).read_bytes() == (expected / name).read_bytes(), name
    ended, whole = checkpoint.load(out), checkpoint.load(expected)
    assert without_times(ended.loss_record) == without_times(whole.loss_record)
    assert ended.training.steps == ended.training.config.steps
    assert ended.training.val_loss_full == whole.training.val_loss_full
    kept = out.with_name(f"{out.name}.state") / "loss_record.csv"
    assert kept.read_bytes() == (out / "loss_record.csv").read_bytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_run_killed_during_a_write_resumes_to_the_same_files(corpus_file, tmp_path):
    settings = train_command(corpus_file, Path(), steps=5)[5:]
    command = [sys.executable, "-c", DRIVER, str(tmp_path), str(corpus_file), *settings]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

    whole = tmp_path / "whole" / "out"
    outs = [folder / "out" for folder in tmp_path.iterdir() if folder.name.isdigit()]
    assert len(outs) == 5
    # Some were killed with no state, half a state, a state, half a checkpoint and a whole one.
    left = {path.name for out in outs for path in out.parent.rglob("*")}
    assert {"state.pt", "out", "model.safetensors"} <= left
    assert any(name.startswith(".state.pt.") for name in left)
    assert any(name.startswith(".out.") for name in left)
    for out in outs:
        check_whole_or_absent(out, whole)
        go_on(train_command(corpus_file, out, steps=5), out)
        check_same(out, whole)
        assert {path.name for path in out.parent.iterdir()} == {"out", "out.state"}


def test_a_run_killed_twice_resumes_to_the_same_files(corpus_file, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert main(train_command(corpus_file, whole, optimizer="adamw")) == 0
    killed = train_command(corpus_file, out, optimizer="adamw")
    for snapshot, more in ((6, []), (19, ["--resume"])):
        command = [sys.executable, "-m", "microgpt", *killed, *more]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            next(line for line in process.stderr if f"step {snapshot}: train" in line)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        check_whole_or_absent(out, whole)
    go_on(killed, out)
    check_same(out, whole)

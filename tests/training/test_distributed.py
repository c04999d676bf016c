"""Two processes on CPUs, started by torchrun, train one model."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint
from microgpt.cli import main
from microgpt.training.snapshots import snapshot_steps
from tests import small_run

ROOT = Path(__file__).parents[2]
train_command = functools.partial(
    small_run.train_command, dropout=0.0, precision="float32", steps=20, eval_interval=10
)
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
# Run the command. A process that flushes a file for the N-th time kills itself.
KILLED = """
import os, signal, sys
from microgpt.cli import main

calls, last, flush = 0, int(sys.argv[1]), os.fsync

def call(file):
    global calls
    calls += 1
    if calls == last:
        os.kill(os.getpid(), signal.SIGKILL)
    flush(file)

os.fsync = call
sys.exit(main(sys.argv[2:]))
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux"
    or not torch.distributed.is_available()
    or not torch.distributed.is_gloo_available(),
    reason="needs Linux and PyTorch's Gloo",
)


def torchrun(*command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*TORCHRUN, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def two_process_run(corpus_file, tmp_path_factory) -> tuple[Path, str]:
    """The checkpoint that two processes wrote, and their stderr."""
    out = tmp_path_factory.mktemp("two processes") / "out"
    done = torchrun("-m", "microgpt", *train_command(corpus_file, out))
    assert done.returncode == 0, done.stderr[-2000:]
    return out, done.stderr


def test_two_processes_train_the_same_model_as_one(two_process_run, corpus_file, tmp_path):
    assert main(train_command(corpus_file, tmp_path / "alone")) == 0
    alone, together = checkpoint.load(tmp_path / "alone"), checkpoint.load(two_process_run[0])
    assert len(together.loss_record) == len(alone.loss_record)
    for row, expected in zip(together.loss_record, alone.loss_record, strict=True):
        assert (row.step, row.tokens) == (expected.step, expected.tokens)
        for name in ("learning_rate", "grad_norm", "batch_loss", "train_loss", "val_loss"):
            value = getattr(expected, name)
            expected_value = value if value is None else pytest.approx(value, abs=1e-4)
            assert getattr(row, name) == expected_value, (row.step, name)
    for name, weight in together.model.state_dict().items():
        torch.testing.assert_close(weight, alone.model.state_dict()[name], rtol=0, atol=1e-3)
    assert together.training.tokens == alone.training.tokens
    loss = alone.training.val_loss_full
    assert together.training.val_loss_full == pytest.approx(loss, abs=2e-4)


def test_two_processes_write_every_file_once(two_process_run):
    out, stderr = two_process_run
    loaded = checkpoint.load(out)
    assert loaded.snapshots.steps.tolist() == snapshot_steps(20)
    assert sorted(path.name for path in out.parent.iterdir()) == ["out", "out.state"]
    state = out.with_name("out.state")
    assert sorted(path.name for path in state.iterdir()) == [
        "lock",
        "loss_record.csv",
        "snapshots",
        "state.pt",
    ]
    assert (state / "loss_record.csv").read_bytes() == (out / "loss_record.csv").read_bytes()
    for step in (row.step for row in loaded.loss_record if row.val_loss is not None):
        assert stderr.count(f"step {step}: train") == 1
    assert stderr.count("checkpoint: ") == 1


def test_a_batch_size_that_cannot_be_divided_is_an_error(corpus_file, tmp_path):
    done = torchrun("-m", "microgpt", *train_command(corpus_file, tmp_path / "out", batch_size=3))
    assert done.returncode != 0
    # Both processes print it, possibly mixed on one line.
    assert "error: batch_size is 3; it must be a multiple of the 2 processes" in done.stderr
    assert "microgpt/train" not in done.stderr, "there is no traceback of our code"
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_of_two_processes_resumes_to_the_same_weights(corpus_file, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "out"
    done = torchrun("-m", "microgpt", *train_command(corpus_file, whole, dropout=0.1))
    assert done.returncode == 0, done.stderr[-2000:]

    driver = tmp_path / "killed.py"
    driver.write_text(KILLED)
    command = train_command(corpus_file, out, dropout=0.1)
    assert torchrun(str(driver), "16", *command).returncode != 0
    state = torch.load(tmp_path / "out.state" / "state.pt", weights_only=True)
    assert 0 < state["step"] < 20
    assert len(state["rngs"]) == 2
    assert not torch.equal(state["rngs"][0][0], state["rngs"][1][0]), "dropout differs"
    assert not out.exists()

    done = torchrun("-m", "microgpt", *command, "--resume")
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("model.safetensors", "snapshots.npz"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name

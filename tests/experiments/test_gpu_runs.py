import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.gpu_runs import CHOICES, SEEDS, TIMED
from experiments.gpu_runs import __main__ as command
from microgpt import checkpoint
from microgpt.checkpoint.runs import read_run
from microgpt.model import GPT
from microgpt.training.presets import PRESETS

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "block_size": 16,
    "n_layer": 1,
    "n_head": 2,
    "n_embd": 16,
    "steps": 3,
    "batch_size": 2,
    "precision": "float32",
    "eval_batches": 1,
}
# The whole command, with fewer runs, shorter parts and a bigram table that is hardly trained.
DRIVER = """
import sys
import torch._dynamo  # which PyTorch's optimisers import late
import experiments.gpu_runs.__main__ as command
from microgpt.analysis import baselines
from experiments.gpu_runs import results

del command.CHOOSE[2:], command.TIMED[1:]
command.SEEDS = command.SEEDS[:3]
results.PART_BYTES = 2**14
baselines.BIGRAM_STEPS = 10
sys.exit(command.main(sys.argv[1:]))
"""
CHOSEN = [plan.name for plan in command.CHOOSE[:2]]
BEST = ["best-1337", "best-1338", "best-1339"]


def start(text: Path, out: Path) -> subprocess.Popen:
    pairs = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    arguments = [str(text), str(out), "--device", "cpu", "--no-compile", "--jobs", "2", *pairs]
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen) -> str:
    """The output of a command that must succeed."""
    printed, said = process.communicate()
    assert (process.returncode, said) == (0, "")
    return printed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork, tar and cat")
def test_a_killed_series_of_runs_is_continued_and_packed(
    corpus, corpus_file, tmp_path, capsys, monkeypatch
):
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    process = start(corpus_file, out)
    line = next(line for line in process.stdout if line.startswith("choose-"))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = out / line.split(":")[0] / "config.json"
    before = kept.read_bytes()

    printed = ended(start(corpus_file, out))
    assert kept.read_bytes() == before
    names = [line.split(":")[0] for line in printed.splitlines() if ": val_loss_full" in line]
    assert set(names[:2]) == set(CHOSEN)
    assert set(names[2:5]) == set(BEST)
    assert names[5:] == ["seed", "time-1000"]
    losses = {name: read_run(out / name).training.val_loss_full for name in names}

    # The lowest loss on a slice of the training split decides.
    part = (out / "train-split.txt").read_text(encoding="utf-8")
    assert part == corpus[: int(0.9 * len(corpus))]
    assert {read_run(out / name).training.data for name in CHOSEN} == {"train-split.txt"}
    shared = {name: "shared by 2 runs" in read_run(out / name).training.hardware for name in names}
    assert shared == {name: name in (*CHOSEN, *BEST) for name in names}
    chosen = read_run(out / min(CHOSEN, key=losses.get))
    for seed, name in zip((1337, 1338, 1339), BEST, strict=True):
        run = read_run(out / name)
        assert run.config.dropout == chosen.config.dropout
        assert run.training.config.seed == seed

    # The pack holds the chosen checkpoint and the results of all runs.
    pack = out / "pack"
    parts = list(pack.glob("best-*.tar.*"))
    assert len(parts) > 1
    assert all(path.stat().st_size <= 2**14 for path in parts)
    median = sorted(BEST, key=losses.get)[1]
    unpack = next(line for line in command.__doc__.splitlines() if line.startswith("mkdir"))
    unpack = unpack.replace("PACK", shlex.quote(str(pack))).replace("OUT", shlex.quote(str(fresh)))
    subprocess.run(unpack, shell=True, check=True)
    assert checkpoint.load(fresh / median).training.val_loss_full == losses[median]
    assert [path.parent.name for path in fresh.glob("*/model.safetensors")] == [median]
    assert {name: read_run(fresh / name).training.val_loss_full for name in names} == losses

    report = (pack / "report.md").read_text(encoding="utf-8")
    assert printed.endswith(report)
    mean = statistics.mean(losses[name] for name in BEST)
    assert f"best-*: mean {mean:.4f} of 3, median {median}." in report
    for name in ("seed", *BEST):
        sampled = json.loads((fresh / f"{name}.json").read_text())
        assert sampled["val_loss_full"] == losses[name]
        cells = f"| {name} | {losses[name]:.4f} | {sampled['train_loss_sampled']:.4f}, "
        assert f"{cells}{sampled['val_loss_sampled']:.4f} | not reached |" in report

    monkeypatch.setattr(command, "SEEDS", SEEDS[:3])
    monkeypatch.setattr(command, "TIMED", TIMED[:1])
    arguments = [str(corpus_file), str(fresh), "best", "seed", "time"]
    assert command.main([*arguments, "--recipe", "dropout=0.3"]) == 0
    again = capsys.readouterr().out
    assert again.endswith(report)
    made = {line.split(":")[0] for line in again.splitlines()[1:6]}
    assert made == {*BEST, "seed", "time-1000"}
    assert not list(fresh.glob("*.state"))


def test_a_failed_run_is_one_line(corpus_file, tmp_path):
    arguments = [str(corpus_file), str(tmp_path), "--device=cpu", "--set=block_size=5000"]
    run = [sys.executable, "-m", "experiments.gpu_runs", *arguments]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {CHOSEN[0]}, " in done.stderr
    assert "not finished (error: block_size is 5000; it must be between" in done.stderr
    assert done.stderr.count("\n") == 1


def test_all_recipes_have_the_architecture_of_the_original():
    shape = PRESETS["gpu"].model
    assert GPT(shape).parameter_count() == 10_788_929
    assert {name for settings in CHOICES for name in settings} <= {
        "dropout",
        *PRESETS["gpu"].train.to_dict(),
    }

import shlex
import shutil
from pathlib import Path

import pytest

from microgpt import runs
from microgpt.checkpoint import CheckpointError
from microgpt.config import PRESETS
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.train.__main__ import _parse, _set_values


def test_the_runs_kept_are_of_their_commands_and_of_the_corpus():
    kept = runs.kept_runs()
    assert [run.name for run in kept if run.name.startswith("phase")] == [
        f"phase{i}" for i in (1, 2, 3, 4)
    ]
    for run in kept:
        assert run.training.data_sha256 == TINY_SHAKESPEARE_SHA256
        args = _parse(shlex.split(run.training.command)[3:])
        preset = PRESETS[args.preset]
        expected = _set_values(args.set, preset.model, preset.train)
        assert (run.config, run.training.config) == expected
        last = run.loss_record[-1]
        assert last.step == run.training.steps == run.training.config.steps
        assert last.tokens == run.training.tokens
        assert last.val_loss == pytest.approx(run.training.val_loss_full, abs=0.05)


def test_a_record_that_was_changed_is_refused(tmp_path):
    shutil.copytree(runs.RUNS / "phase1", tmp_path / "phase1")
    record = tmp_path / "phase1" / "loss_record.csv"
    record.write_text(record.read_text().replace("2.4", "1.4", 1))
    with pytest.raises(CheckpointError, match="of the run phase1 is not the one in config"):
        runs.kept_runs(tmp_path)


def test_the_readmes_table_is_that_of_the_records():
    readme = Path(__file__).parents[1] / "README.md"
    assert runs.table(runs.kept_runs()) in readme.read_text(encoding="utf-8")

import shlex
import shutil
from pathlib import Path

import pytest

from microgpt.checkpoint import CheckpointError, runs
from microgpt.cli import parser_for
from microgpt.cli.arguments import set_values
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.training.presets import PRESETS


def test_the_bundled_runs_have_the_settings_of_their_commands():
    phases = [run.name for run in runs.bundled_runs() if run.name.startswith("phase")]
    assert phases == ["phase1", "phase2", "phase3", "phase4"]
    for run in runs.bundled_runs():
        assert run.training.data_sha256 == TINY_SHAKESPEARE_SHA256
        words = shlex.split(run.training.command)
        arguments = words[words.index("--preset") :]
        args = parser_for("train").parse_args(["train", *arguments])
        preset = PRESETS[args.preset]
        expected = set_values(args.set, preset.model, preset.train)
        assert (run.config, run.training.config) == expected
        last = run.loss_record[-1]
        assert last.step == run.training.steps == run.training.config.steps
        assert last.tokens == run.training.tokens
        assert last.val_loss == pytest.approx(run.training.val_loss_full, abs=0.05)


def test_each_run_has_a_name_for_readers():
    assert [run.title for run in runs.bundled_runs()] == [
        "Full model, less training",
        *(f"Full model, seed {seed}" for seed in range(1337, 1342)),
        "Small model 1: attention and MLP",
        "Small model 2: residual connections",
        "Small model 3: LayerNorm in each layer",
        "Small model 4: LayerNorm before the head",
    ]


def test_an_edited_loss_record_is_refused(tmp_path):
    shutil.copytree(runs.RUNS / "phase1", tmp_path / "phase1")
    record = tmp_path / "phase1" / "loss_record.csv"
    record.write_text(record.read_text().replace("2.4", "1.4", 1))
    with pytest.raises(CheckpointError, match="of the run phase1 is not the one in config"):
        runs.bundled_runs(tmp_path)


def test_the_table_in_the_readme_is_current():
    readme = Path(__file__).parents[2] / "README.md"
    assert runs.table(runs.bundled_runs()) in readme.read_text(encoding="utf-8")

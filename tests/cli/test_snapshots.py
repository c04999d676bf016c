import shutil
from pathlib import Path

import numpy as np
import pytest

from microgpt import checkpoint
from microgpt.cli import main
from microgpt.training.folder import RunFolder
from microgpt.training.snapshots import weights_file
from tests.folders import contents


@pytest.fixture
def run_folder(trained_checkpoint: Path, tmp_path: Path) -> RunFolder:
    """A copy of the trained checkpoint and its state that a test may change."""
    run = RunFolder(tmp_path / "words")
    shutil.copytree(RunFolder(trained_checkpoint).folder, run.folder)
    shutil.copytree(trained_checkpoint, run.out)
    return run


@pytest.fixture
def passage(tmp_path: Path) -> Path:
    """The file of a passage, not written yet."""
    return tmp_path / "passage.txt"


def test_the_snapshots_of_a_run_are_recomputed_exactly(run_folder, capsys):
    before = contents(run_folder.out)
    assert main(["snapshots", "--checkpoint", str(run_folder.out)]) == 0
    assert contents(run_folder.out) == before
    assert "snapshots of 16 characters" in capsys.readouterr().out


def test_missing_snapshots_are_added(run_folder, trained_checkpoint, passage, monkeypatch):
    loaded = checkpoint.load(trained_checkpoint)
    passage.write_text(loaded.tokenizer.decode(loaded.snapshots.passage.tolist()), newline="")
    (run_folder.out / checkpoint.SNAPSHOTS).unlink()
    monkeypatch.chdir(run_folder.out)
    assert main(["snapshots", "--checkpoint", ".", "--passage", str(passage)]) == 0
    assert contents(run_folder.out) == contents(trained_checkpoint)


def test_without_snapshots_the_passage_is_that_of_the_checkpoint(run_folder):
    (run_folder.out / checkpoint.SNAPSHOTS).unlink()
    opened = checkpoint.load(run_folder.out)
    assert main(["snapshots", "--checkpoint", str(run_folder.out)]) == 0
    after = checkpoint.load(run_folder.out)
    window = opened.config.block_size
    assert opened.tokenizer.decode(after.snapshots.passage) == opened.passage[:window]


def test_another_passage_is_cut_to_the_context_window(run_folder, passage, corpus):
    passage.write_text(corpus[100:200], newline="")
    before = checkpoint.load(run_folder.out)
    assert main(["snapshots", "--checkpoint", str(run_folder.out), "--passage", str(passage)]) == 0
    after = checkpoint.load(run_folder.out)
    assert after.tokenizer.decode(after.snapshots.passage.tolist()) == corpus[100:116]
    assert (after.snapshots.steps == before.snapshots.steps).all()
    assert (after.snapshots.samples == before.snapshots.samples).all()
    assert not np.array_equal(after.snapshots.maps, before.snapshots.maps)
    assert after.weights_sha256 == before.weights_sha256


def test_an_error_changes_no_file(run_folder, passage, command_error):
    before = contents(run_folder.out)
    command = ["snapshots", "--checkpoint", run_folder.out]
    for content, message in (
        (b"", "the passage is empty"),
        (b"\xff", "UTF-8"),
        (b"Q", "vocabulary"),
    ):
        passage.write_bytes(content)
        assert message in command_error(*command, "--passage", passage)
    weights_file(run_folder.snapshots, 0).write_bytes(b"damaged")
    assert "does not hold weights of this model" in command_error(*command)
    shutil.rmtree(run_folder.snapshots)
    assert "no weights of snapshots in" in command_error(*command)
    assert contents(run_folder.out) == before


def test_the_head_scores_of_every_snapshot_are_measured(
    run_folder, corpus_file, tmp_path, command_error
):
    command = ["snapshots", "--checkpoint", str(run_folder.out), "--head-scores"]
    assert main([*command, "--data", str(corpus_file), "--device", "cpu"]) == 0
    made = checkpoint.load(run_folder.out, strict=True)
    assert made.snapshot_scores.steps == made.snapshots.steps.tolist()
    first, last = made.snapshot_scores.scores[0], made.snapshot_scores.scores[-1]
    assert last.to_json() == made.head_scores.to_json()
    assert first.ablation.loss_change.abs().max() < 1e-4  # the projections start at zero
    (tmp_path / "other.txt").write_text("Q" * 999)
    assert "vocabulary" in command_error(*command, "--data", tmp_path / "other.txt")

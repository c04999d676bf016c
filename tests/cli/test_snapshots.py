"""The command that recomputes snapshots, and the Python call behind it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from microgpt import checkpoint
from microgpt.checkpoint.snapshots import SnapshotsError
from microgpt.cli import main
from microgpt.config import GPTConfig, TrainConfig
from microgpt.training.run import train_checkpoint
from microgpt.training.snapshots import load_weights, weights_file

SHAPE = GPTConfig(block_size=16, n_layer=2, n_head=2, n_embd=16)
RECIPE = TrainConfig(steps=6, batch_size=4, learning_rate=1e-2, ema_decay=0.9, eval_batches=1)


@pytest.fixture(scope="module")
def trained(corpus: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "words"
    for _ in train_checkpoint(corpus, SHAPE, RECIPE, out, device="cpu"):
        pass
    return out


@pytest.fixture
def run_folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained checkpoint with its state, to be changed."""
    shutil.copytree(trained.with_name("words.state"), tmp_path / "words.state")
    return shutil.copytree(trained, tmp_path / "words")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run the command, which must end with exit code 2 and one sentence; return the sentence."""
    assert main(["snapshots", *map(str, arguments)]) == 2
    *_, last = capsys.readouterr().err.splitlines()  # after a progress bar
    assert last.startswith("error: ")
    return last


def test_what_training_wrote_is_recomputed(run_folder, capsys):
    before = files(run_folder)
    assert main(["snapshots", "--checkpoint", str(run_folder)]) == 0
    assert files(run_folder) == before
    assert "snapshots of 16 characters" in capsys.readouterr().out


def test_a_checkpoint_without_snapshots_gets_them(run_folder, trained, capsys, monkeypatch):
    (run_folder / checkpoint.SNAPSHOTS).unlink()
    passage = run_folder.parent / "passage.txt"
    ids = checkpoint.load(trained).snapshots.passage.tolist()
    passage.write_text(checkpoint.load(trained).tokenizer.decode(ids), newline="")
    monkeypatch.chdir(run_folder)
    assert main(["snapshots", "--checkpoint", ".", "--passage", str(passage)]) == 0
    assert files(run_folder) == files(trained)
    capsys.readouterr()
    (run_folder / checkpoint.SNAPSHOTS).unlink()
    error = refused(capsys, "--checkpoint", run_folder)
    assert "outside the vocabulary" in error and "--passage" in error


def test_another_passage_is_read_as_far_as_it_fits(run_folder, corpus):
    passage = run_folder.parent / "passage.txt"
    passage.write_text(corpus[100:200], newline="")
    before = checkpoint.load(run_folder)
    assert main(["snapshots", "--checkpoint", str(run_folder), "--passage", str(passage)]) == 0
    after = checkpoint.load(run_folder)
    assert after.tokenizer.decode(after.snapshots.passage.tolist()) == corpus[100:116]
    assert (after.snapshots.steps == before.snapshots.steps).all()
    assert (after.snapshots.samples == before.snapshots.samples).all()
    assert not np.array_equal(after.snapshots.maps, before.snapshots.maps)
    assert after.weights_sha256 == before.weights_sha256


def test_what_cannot_be_recomputed_changes_nothing(run_folder, capsys):
    passage = run_folder.parent / "passage.txt"
    before = files(run_folder)
    for content, says in ((b"", "the passage is empty"), (b"\xff", "UTF-8"), (b"Q", "vocabulary")):
        passage.write_bytes(content)
        assert says in refused(capsys, "--checkpoint", run_folder, "--passage", passage)
    kept = run_folder.with_name("words.state") / "snapshots"
    weights_file(kept, 0).write_bytes(b"damaged")
    assert "does not hold weights of this model" in refused(capsys, "--checkpoint", run_folder)
    shutil.rmtree(kept)
    assert "no weights of snapshots in" in refused(capsys, "--checkpoint", run_folder)
    assert files(run_folder) == before


def test_weights_that_half_precision_cannot_hold_are_refused(model, tmp_path):
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    weights["head.bias"][0] = float("inf")
    save_file(weights, tmp_path / "step_00000000.safetensors")
    with pytest.raises(SnapshotsError, match="not finite in half precision"):
        load_weights(tmp_path / "step_00000000.safetensors", model.config)

"""The weights of a run at each of its snapshots."""

import pytest
import torch
from safetensors.torch import save_file

from microgpt.checkpoint.snapshots import SnapshotsError
from microgpt.config import TRAIN_LIMITS
from microgpt.training.snapshot_weights import (
    load_weights,
    save_weights,
    weights_file,
    weights_files,
)


def test_only_files_of_steps_that_a_run_can_have_are_weights(tmp_path):
    (tmp_path / f"step_{10**20}.safetensors").touch()
    (tmp_path / "step_\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668.safetensors").touch()
    path = weights_file(tmp_path, int(TRAIN_LIMITS["steps"][1]))
    path.touch()
    assert weights_files(tmp_path) == {10_000_000: path}


def test_saved_weights_that_are_not_finite_are_refused(model, tmp_path):
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    weights["head.bias"][0] = torch.inf
    save_file(weights, weights_file(tmp_path, 0))
    with pytest.raises(SnapshotsError, match="not finite in half precision"):
        load_weights(weights_file(tmp_path, 0), model.config)


def test_an_error_while_saving_weights_leaves_the_old_file(model, tmp_path, monkeypatch):
    save_weights(tmp_path, model, 3)
    before = weights_file(tmp_path, 3).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_weights(tmp_path, model, 3)
    assert weights_file(tmp_path, 3).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [weights_file(tmp_path, 3).name]

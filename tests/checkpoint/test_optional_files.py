"""How a checkpoint is loaded if an optional file is missing, damaged or malformed."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis.baselines import Baselines
from microgpt.analysis.head_scores import SnapshotScores
from microgpt.checkpoint import (
    BASELINES,
    CONTEXT_LOSSES,
    HASHED,
    HEAD_SCORES,
    SNAPSHOT_SCORES,
    SNAPSHOTS,
    CheckpointError,
    load,
    sha256,
)
from tests.checkpoint.editing import UNREADABLE, edit_config, needs_unreadable_file, update_hashes
from tests.folders import names

# The optional files that this version writes, and the attribute of Checkpoint that each fills.
ATTRIBUTES = {
    BASELINES: "baselines",
    SNAPSHOTS: "snapshots",
    HEAD_SCORES: "head_scores",
    SNAPSHOT_SCORES: "snapshot_scores",
    CONTEXT_LOSSES: "context_losses",
}


def loads_without(folder: Path, name: str, note: str) -> bool:
    """Whether a checkpoint loads without this optional file only, with a note that matches."""
    loaded = load(folder)
    missing = [file for file, part in ATTRIBUTES.items() if getattr(loaded, part) is None]
    (found,) = loaded.notes
    return missing == [name] and re.fullmatch(note, found) is not None


def is_refused_if_strict(folder: Path, name: str, reason: str) -> bool:
    """Whether the checkpoint loads without this file, and strict loading raises the reason."""
    with pytest.raises(CheckpointError, match=f"^{reason}$"):
        load(folder, strict=True)
    return loads_without(folder, name, f"{reason}; {name} is left out")


def test_a_full_checkpoint_is_loaded(full_checkpoint, optional_parts):
    assert names(full_checkpoint) == {*checkpoint.FILES, *ATTRIBUTES}
    hashes = checkpoint.read_config(full_checkpoint)[2]
    assert hashes == {name: sha256(full_checkpoint / name) for name in (*HASHED, *ATTRIBUTES)}
    assert checkpoint.files_in(full_checkpoint, hashes) == [*checkpoint.FILES, *ATTRIBUTES]
    listed = json.loads((full_checkpoint / "config.json").read_text())["optional"]
    assert set(ATTRIBUTES) <= set(listed) and listed == sorted(listed)
    loaded = load(full_checkpoint)
    assert loaded.notes == ()
    assert loaded.baselines.to_json() == optional_parts["baselines"].to_json()
    assert loaded.snapshots.to_npz() == optional_parts["snapshots"].to_npz()
    for name in ("head_scores", "snapshot_scores", "context_losses"):
        assert getattr(loaded, name).to_json() == optional_parts[name].to_json()


def test_a_checkpoint_without_optional_files_is_loaded(tiny_checkpoint):
    loaded = load(tiny_checkpoint)
    assert all(getattr(loaded, part) is None for part in ATTRIBUTES.values())


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_missing_file_is_left_out(full_checkpoint, name):
    (full_checkpoint / name).unlink()
    note = f"{name} is listed in config.json but not in the folder"
    assert loads_without(full_checkpoint, name, note)
    assert getattr(load(full_checkpoint, strict=True), ATTRIBUTES[name]) is None
    hashes = checkpoint.read_config(full_checkpoint)[2]
    assert name in hashes and name not in checkpoint.files_in(full_checkpoint, hashes)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_file_with_a_flipped_bit_is_left_out(full_checkpoint, name):
    data = bytearray((full_checkpoint / name).read_bytes())
    data[len(data) // 2] ^= 1
    (full_checkpoint / name).write_bytes(data)
    reason = f"{name} is damaged: its SHA-256 is not the one in config.json"
    assert is_refused_if_strict(full_checkpoint, name, reason)


@pytest.mark.parametrize("name", ATTRIBUTES)
@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\xff\xfe", b"{}", b"[" * 100_000], ids=range(5)
)
def test_a_malformed_file_is_left_out(full_checkpoint, name, content):
    (full_checkpoint / name).write_bytes(content)
    update_hashes(full_checkpoint)
    assert is_refused_if_strict(full_checkpoint, name, ".* cannot be read.*")


@needs_unreadable_file
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_file_that_cannot_be_read_is_left_out(full_checkpoint, name):
    (full_checkpoint / name).unlink()
    (full_checkpoint / name).symlink_to(UNREADABLE)
    reason = f"{name} cannot be read: Input/output error"
    assert is_refused_if_strict(full_checkpoint, name, reason)


def test_files_of_another_model_are_left_out(full_checkpoint, optional_parts):
    baselines, snapshots, scores, _, losses = optional_parts.values()
    smaller = Baselines(baselines.unigram[1:], baselines.bigram[1:, 1:], baselines.val_loss)
    (full_checkpoint / BASELINES).write_text(smaller.to_json())
    deeper = dataclasses.replace(snapshots, maps=snapshots.maps.repeat(2, axis=1))
    (full_checkpoint / SNAPSHOTS).write_bytes(deeper.to_npz())
    larger = dataclasses.replace(scores, entropy=torch.zeros(3, 3))
    (full_checkpoint / HEAD_SCORES).write_text(larger.to_json())
    (full_checkpoint / SNAPSHOT_SCORES).write_text(SnapshotScores([0, 1], [scores]).to_json())
    unknown = dataclasses.replace(losses, ids=[0, 1, 2, 65])
    (full_checkpoint / CONTEXT_LOSSES).write_text(unknown.to_json())
    update_hashes(full_checkpoint)
    loaded = load(full_checkpoint)
    assert all(getattr(loaded, part) is None for part in ATTRIBUTES.values())
    assert loaded.notes == (
        "the checkpoint's baselines do not fit its vocabulary; baselines.json is left out",
        "the checkpoint's snapshots do not fit its model; snapshots.npz is left out",
        "the checkpoint's head scores do not fit its model; head_scores.json is left out",
        "the checkpoint's snapshot scores do not fit its model; snapshot_scores.json is left out",
        "the checkpoint's losses by context length do not fit it; context_losses.json is left out",
    )


@pytest.mark.parametrize("name", checkpoint.OPTIONAL)
def test_a_file_that_the_config_does_not_list_is_ignored(checkpoint_copy, name):
    (checkpoint_copy / name).write_text("notes of someone else")
    loaded = load(checkpoint_copy)
    assert all(getattr(loaded, part) is None for part in ATTRIBUTES.values())
    assert loaded.notes == ()
    hashes = checkpoint.read_config(checkpoint_copy)[2]
    assert checkpoint.files_in(checkpoint_copy, hashes) == list(checkpoint.FILES)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_file_that_is_too_large_is_not_read(full_checkpoint, name):
    limit = checkpoint.OPTIONAL[name]
    with open(full_checkpoint / name, "r+b") as file:
        file.truncate(limit + 1)  # sparse: needs no space on the disk
    reason = f"{name} has {limit + 1:,} bytes; at most {limit:,} are allowed"
    assert is_refused_if_strict(full_checkpoint, name, reason)


@pytest.mark.parametrize("value", [3, None, [], "0" * 64], ids=str)
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_file_with_a_malformed_or_wrong_hash_is_left_out(full_checkpoint, name, value):
    edit_config(full_checkpoint, lambda values: values["sha256"].update({name: value}))
    assert is_refused_if_strict(full_checkpoint, name, f"{name} is damaged: .*")

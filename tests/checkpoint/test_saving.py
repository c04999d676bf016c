import dataclasses
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis.head_scores import HeadScoresError
from microgpt.checkpoint import (
    HEAD_SCORES,
    SNAPSHOTS,
    Checkpoint,
    CheckpointError,
    add_head_scores,
    add_snapshots,
    load,
    save,
)
from microgpt.checkpoint.snapshots import SnapshotsError
from microgpt.model import GPT
from tests.folders import GPT_PARTS, contents, names


@pytest.fixture
def unsaved(model, tokenizer, loss_record, training) -> Checkpoint:
    """The small checkpoint, not saved yet."""
    return Checkpoint(model, tokenizer, loss_record, training)


def test_saving_replaces_an_existing_folder(full_checkpoint, unsaved, tiny_config, training):
    other = GPT(tiny_config)
    other.init_small(torch.Generator().manual_seed(5))
    unmeasured = dataclasses.replace(training, val_loss_full=None)
    save(full_checkpoint, dataclasses.replace(unsaved, model=other, training=unmeasured))
    loaded = load(full_checkpoint)
    assert torch.equal(loaded.model.head.weight, other.head.weight.half().float())
    assert loaded.training == unmeasured
    assert "is not measured" in (full_checkpoint / "README.md").read_text("utf-8")
    assert loaded.baselines is loaded.snapshots is loaded.head_scores is None
    assert names(full_checkpoint) == set(checkpoint.FILES)
    assert names(full_checkpoint.parent) == {full_checkpoint.name}


@pytest.mark.parametrize("name", ["baselines", "snapshots", "head_scores"])
def test_each_optional_part_can_be_saved_alone(tmp_path, unsaved, optional_parts, name):
    folder = tmp_path / "one"
    save(folder, dataclasses.replace(unsaved, **{name: optional_parts[name]}))
    loaded = load(folder)
    assert {part for part in optional_parts if getattr(loaded, part) is not None} == {name}
    assert len(names(folder)) == len(checkpoint.FILES) + 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_saved_files_can_be_read_by_everyone(tiny_checkpoint):
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tiny_checkpoint.iterdir()}
    assert modes == dict.fromkeys(modes, 0o644)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e6])
def test_weights_that_are_not_finite_in_float16_are_not_saved(
    tmp_path, unsaved, tiny_config, value
):
    diverged = GPT(tiny_config)
    torch.nn.init.constant_(diverged.head.bias, value)
    with pytest.raises(CheckpointError, match="not finite in half precision"):
        save(tmp_path / "new", dataclasses.replace(unsaved, model=diverged))
    assert names(tmp_path) == set()


def test_a_file_that_would_be_too_large_to_load_is_not_saved(tmp_path, unsaved, monkeypatch):
    monkeypatch.setitem(checkpoint.FILES, checkpoint.LOSS_RECORD, 100)
    with pytest.raises(CheckpointError, match=r"^loss_record.csv has .* at most 100 are allowed"):
        save(tmp_path / "new", unsaved)
    assert names(tmp_path) == set()


@pytest.mark.parametrize("name", [checkpoint.BASELINES, HEAD_SCORES, SNAPSHOTS])
def test_an_optional_file_that_would_be_too_large_to_load_is_left_out(
    tmp_path, unsaved, optional_parts, monkeypatch, name
):
    monkeypatch.setitem(checkpoint.OPTIONAL, name, 100)
    save(tmp_path / "new", dataclasses.replace(unsaved, **optional_parts))
    assert load(tmp_path / "new").notes == ()
    assert {*checkpoint.FILES, *GPT_PARTS} - names(tmp_path / "new") == {name}


def test_an_error_while_saving_leaves_the_old_checkpoint(checkpoint_copy, unsaved):
    before = contents(checkpoint_copy)
    with pytest.raises(AttributeError):
        save(checkpoint_copy, dataclasses.replace(unsaved, loss_record=[None]))
    assert contents(checkpoint_copy) == before
    assert names(checkpoint_copy.parent) == {checkpoint_copy.name}


def test_a_full_disk_leaves_the_old_checkpoint(checkpoint_copy, unsaved, full_disk):
    before = contents(checkpoint_copy)
    with full_disk(), pytest.raises(OSError, match="File too large"):
        save(checkpoint_copy, unsaved)
    assert contents(checkpoint_copy) == before
    assert names(checkpoint_copy.parent) == {checkpoint_copy.name}


def test_an_error_while_replacing_restores_the_old_checkpoint(
    checkpoint_copy, unsaved, tiny_config, monkeypatch
):
    """Another program deletes the new folder just before it is renamed."""
    before = contents(checkpoint_copy)
    replace = os.replace
    target_existed = []

    def delete_then_replace(source: Path, target: Path) -> None:
        target_existed.append(target.exists())
        if target == checkpoint_copy and len(target_existed) == 2:
            shutil.rmtree(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", delete_then_replace)
    with pytest.raises(FileNotFoundError):
        save(checkpoint_copy, dataclasses.replace(unsaved, model=GPT(tiny_config)))
    assert target_existed == [False] * 3  # Windows cannot rename a folder to an existing one
    assert contents(checkpoint_copy) == before
    assert names(checkpoint_copy.parent) == {checkpoint_copy.name}


def test_a_file_at_the_path_is_not_replaced(tmp_path, unsaved):
    (tmp_path / "mine").write_text("text")
    with pytest.raises(OSError):  # the kind depends on the system
        save(tmp_path / "mine", unsaved)
    assert contents(tmp_path) == {"mine": b"text"}


def test_a_symbolic_link_to_a_folder_is_kept(checkpoint_copy, tmp_path, unsaved):
    (checkpoint_copy / "README.md").unlink()
    (tmp_path / "link").symlink_to(checkpoint_copy)
    save(tmp_path / "link", unsaved)
    assert (tmp_path / "link").is_symlink()
    assert (checkpoint_copy / "README.md").is_file()
    assert names(tmp_path) == {checkpoint_copy.name, "link"}


@pytest.mark.parametrize("renames", range(4))
def test_adding_head_scores_can_be_killed_at_any_time(
    full_checkpoint, optional_parts, monkeypatch, renames
):
    """Three files are replaced; the checkpoint has the old scores, none, or the new ones."""
    replace, done = os.replace, 0

    def stop_after_some(source: Path, target: Path) -> None:
        nonlocal done
        if done == renames:
            raise KeyboardInterrupt
        done += 1
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop_after_some)
    old = optional_parts["head_scores"]
    new = dataclasses.replace(old, entropy=old.entropy + 1)
    config = load(full_checkpoint).config
    before = names(full_checkpoint)
    if renames < 3:
        with pytest.raises(KeyboardInterrupt):
            add_head_scores(full_checkpoint, new, config)
    else:
        add_head_scores(full_checkpoint, new, config)
    scores = load(full_checkpoint).head_scores
    expected = [old, None, None, new][renames]
    assert (scores and scores.to_json()) == (expected and expected.to_json())
    assert names(full_checkpoint) == before


def test_unreadable_head_scores_or_snapshots_are_not_added(full_checkpoint, optional_parts):
    before, config = contents(full_checkpoint), load(full_checkpoint).config
    scores, snapshots = optional_parts["head_scores"], optional_parts["snapshots"]
    with pytest.raises(HeadScoresError):
        nan = dataclasses.replace(scores, entropy=scores.entropy * torch.nan)
        add_head_scores(full_checkpoint, nan, config)
    with pytest.raises(SnapshotsError):
        of_fewer_heads = dataclasses.replace(snapshots, maps=snapshots.maps[:, :, 1:])
        add_snapshots(full_checkpoint, of_fewer_heads, config)
    assert contents(full_checkpoint) == before


def test_added_parts_are_loaded(checkpoint_copy, optional_parts):
    config = load(checkpoint_copy).config
    add_head_scores(checkpoint_copy, optional_parts["head_scores"], config)
    add_snapshots(checkpoint_copy, optional_parts["snapshots"], config)
    loaded = load(checkpoint_copy, strict=True)
    assert loaded.head_scores.to_json() == optional_parts["head_scores"].to_json()
    assert loaded.snapshots.to_npz() == optional_parts["snapshots"].to_npz()
    assert names(checkpoint_copy) == {*checkpoint.FILES, HEAD_SCORES, SNAPSHOTS}

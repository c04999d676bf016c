from pathlib import Path

import pytest

from microgpt import hub
from microgpt.checkpoint import CheckpointError


def test_the_operator_may_name_a_folder_or_a_repo():
    repo = {"MICROGPT_REPO": "a/b@c"}
    assert hub.operator_choice({}) is None
    assert hub.operator_choice(repo) == hub.RepoRef("a/b", "c")
    folder = {"MICROGPT_CHECKPOINT": " runs/x "}
    assert hub.operator_choice({**repo, **folder}) == Path("runs/x"), "the folder comes first"
    with pytest.raises(hub.HubError):
        hub.operator_choice({"MICROGPT_REPO": "nonsense"})


def test_the_home_folder_of_an_unknown_user_is_refused():
    with pytest.raises(hub.HubError, match=r"'~nouser/x'.* write the full path"):
        hub.operator_choice({"MICROGPT_CHECKPOINT": "~nouser/x"})


def test_a_folder_is_opened_with_its_path_as_origin(tiny_checkpoint):
    origin = hub.Origin("folder", str(tiny_checkpoint))
    assert hub.load_folder(tiny_checkpoint).origin == origin
    assert hub.open_checkpoint(str(tiny_checkpoint)).origin == origin


def test_the_bundled_checkpoint_is_opened(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "BUNDLED", [tiny_checkpoint])
    assert hub.load_bundled().origin.kind == "bundled"
    monkeypatch.setattr(hub, "BUNDLED", [tmp_path / "missing"])
    with pytest.raises(CheckpointError):
        hub.load_bundled()


def test_a_bundled_checkpoint_has_the_name_of_its_corpus_or_else_of_its_folder(
    tiny_checkpoint, tmp_path, monkeypatch
):
    missing, damaged = tmp_path / "missing", tmp_path / "damaged"
    monkeypatch.setattr(hub, "BUNDLED", [missing, tiny_checkpoint, damaged])
    assert hub.bundled_folders() == {"missing": missing, "words.txt": tiny_checkpoint}
    damaged.mkdir()
    assert list(hub.bundled_folders()) == ["missing", "words.txt", "damaged"]


def test_two_bundled_checkpoints_of_one_corpus_have_different_names(
    tiny_checkpoint, checkpoint_copy, monkeypatch
):
    monkeypatch.setattr(hub, "BUNDLED", [tiny_checkpoint, checkpoint_copy])
    folders = {"words.txt": tiny_checkpoint, "words.txt (copy)": checkpoint_copy}
    assert hub.bundled_folders() == folders


@pytest.mark.parametrize(
    "text",
    ["gpt2", "x" * 300, "x/" + "y" * 300, "a" * 5000, "a\0b"],
    ids=lambda text: ascii(text[:10]),
)
def test_a_text_that_names_neither_a_folder_nor_a_repo_is_refused(text):
    with pytest.raises(hub.HubError, match=r"there is no folder .* is not the name of a repo"):
        hub.open_checkpoint(text)
    with pytest.raises(CheckpointError):
        hub.load_folder(Path(text))

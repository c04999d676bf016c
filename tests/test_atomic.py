import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt.atomic import replacing
from tests.folders import names

ROOT = Path(__file__).parents[1]
# Write a file or a folder, and be killed at the N-th rename; at N = 0, before the first one.
KILLED = """
import os, signal, sys
from pathlib import Path
from microgpt.atomic import replacing

left = int(sys.argv[3])

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def replace(*args, real=os.replace):
    global left
    left -= 1
    if left == 0:
        kill()
    real(*args)

os.replace = replace
with replacing(Path(sys.argv[2])) as partial:
    if sys.argv[1] == "folder":
        partial.mkdir()
        (partial / "text").write_text("new")
    else:
        partial.write_text("new")
    if left == 0:
        kill()
"""

file_and_folder = pytest.mark.parametrize("kind", ["file", "folder"])


def fill(kind: str, path: Path, text: str) -> None:
    if kind == "folder":
        path.mkdir()
        path = path / "text"
    path.write_text(text)


def write(kind: str, path: Path, text: str) -> None:
    with replacing(path) as partial:
        fill(kind, partial, text)


def text_of(path: Path) -> str:
    return (path / "text" if path.is_dir() else path).read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and flock")
@pytest.mark.parametrize(
    ("kind", "rename", "whole"),
    [
        ("file", 0, True),
        ("file", 1, True),
        ("folder", 0, True),
        ("folder", 1, True),
        ("folder", 2, False),
    ],
)
def test_the_next_write_removes_the_files_of_a_killed_one(tmp_path, kind, rename, whole):
    write(kind, tmp_path / "mine", "old")
    others = {".mine.snapshot", ".mine.abcdefgh.partial.2", ".mine.x.abcdefgh.partial", "other"}
    for name in others:
        fill(kind, tmp_path / name, "of another program")
    command = [sys.executable, "-c", KILLED, kind, str(tmp_path / "mine"), str(rename)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "mine").exists() == whole
    partial = names(tmp_path) - others - {"mine"}
    assert len(partial) == (1 if whole else 2)

    write(kind, tmp_path / "other", "new")
    assert partial < names(tmp_path), "another path removes none of them"
    write(kind, tmp_path / "mine", "newer")
    assert names(tmp_path) == {*others, "mine"}
    assert text_of(tmp_path / "mine") == "newer"


@file_and_folder
def test_two_writes_of_one_path_do_not_disturb_each_other(tmp_path, kind):
    with replacing(tmp_path / "mine") as partial:
        fill(kind, partial, "slow")
        write(kind, tmp_path / "mine", "quick")
        write(kind, tmp_path / "other", "quick")
        assert text_of(tmp_path / "mine") == "quick"
        assert text_of(partial) == "slow"
    assert names(tmp_path) == {"mine", "other"}
    assert text_of(tmp_path / "mine") == "slow"


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
@file_and_folder
def test_a_file_system_without_locks_can_be_written(tmp_path, monkeypatch, kind):
    def refuse(*args: object) -> None:
        raise OSError("no locks available")

    fill(kind, tmp_path / ".mine.abcdefgh.partial", "left")
    monkeypatch.setattr("fcntl.flock", refuse)
    write(kind, tmp_path / "mine", "text")
    assert names(tmp_path) == {"mine", ".mine.abcdefgh.partial"}


@file_and_folder
def test_an_error_leaves_the_old_content_and_no_other_files(tmp_path, kind):
    write(kind, tmp_path / "mine", "old")
    with pytest.raises(ValueError, match="no"), replacing(tmp_path / "mine") as partial:
        fill(kind, partial, "half")
        raise ValueError("no")
    assert names(tmp_path) == {"mine"}
    assert text_of(tmp_path / "mine") == "old"


def test_a_new_folder_replaces_the_old_one_completely(tmp_path):
    write("folder", tmp_path / "mine", "old")
    with replacing(tmp_path / "mine") as partial:
        partial.mkdir()
        (partial / "another").write_text("new")
    assert names(tmp_path / "mine") == {"another"}


def test_a_file_cannot_replace_a_folder_nor_a_folder_a_file(tmp_path):
    write("folder", tmp_path / "folder", "old")
    write("file", tmp_path / "file", "old")
    with pytest.raises(OSError):
        write("file", tmp_path / "folder", "new")
    with pytest.raises(OSError):
        write("folder", tmp_path / "file", "new")
    assert names(tmp_path) == {"folder", "file"}
    assert text_of(tmp_path / "folder") == text_of(tmp_path / "file") == "old"


@file_and_folder
def test_a_symbolic_link_is_kept(tmp_path, kind):
    write(kind, tmp_path / "mine", "old")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    write(kind, tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert text_of(tmp_path / "mine") == "new"


def test_every_file_is_flushed_through_a_writable_descriptor(tmp_path, monkeypatch):
    """Windows refuses to flush one that is open for reading only."""
    flushed = []

    def flush(descriptor: int, real=os.fsync) -> None:
        os.write(descriptor, b"")  # fails on a descriptor that is not open for writing
        flushed.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", flush)
    with replacing(tmp_path / "mine") as partial:
        (partial / "inner").mkdir(parents=True)
        (partial / "text").write_text("new")
        (partial / "inner" / "text").write_text("new")
    files = (tmp_path / "mine" / "text", tmp_path / "mine" / "inner" / "text")
    assert sorted(flushed) == sorted(path.stat().st_ino for path in files)


@file_and_folder
def test_missing_parents_are_created(tmp_path, kind):
    write(kind, tmp_path / "a" / "b" / "mine", "text")
    assert text_of(tmp_path / "a" / "b" / "mine") == "text"

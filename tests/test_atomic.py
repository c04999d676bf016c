import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt.atomic import check_folder, put_back, replacing
from tests.folders import names

ROOT = Path(__file__).parents[1]
# Write a file or a folder in a process that kills itself at the N-th rename, or before the first
# one if N is 0.
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


def kill(kind: str, path: Path, rename: int) -> None:
    """Replace a file or folder in a process that is killed, as KILLED says."""
    command = [sys.executable, "-c", KILLED, kind, str(path), str(rename)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL


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
        ("folder", 3, True),
    ],
)
def test_the_next_write_removes_the_files_of_a_killed_one(tmp_path, kind, rename, whole):
    write(kind, tmp_path / "mine", "old")
    others = {".mine.snapshot", ".mine.abcdefgh.partial.2", ".mine.x.abcdefgh.partial", "other"}
    for name in others:
        fill(kind, tmp_path / name, "of another program")
    kill(kind, tmp_path / "mine", rename)
    assert (tmp_path / "mine").exists() == whole
    partial = names(tmp_path) - others - {"mine"}
    assert len(partial) == (1 if whole else 2)

    write(kind, tmp_path / "other", "new")
    assert partial < names(tmp_path), "another path removes none of them"
    write(kind, tmp_path / "mine", "newer")
    assert names(tmp_path) == {*others, "mine"}
    assert text_of(tmp_path / "mine") == "newer"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and flock")
def test_a_folder_that_a_killed_process_moved_aside_is_put_back(tmp_path):
    write("folder", tmp_path / "mine", "old")
    (tmp_path / "link").symlink_to("mine")
    kill("folder", tmp_path / "mine", 2)
    assert not (tmp_path / "mine").exists()
    with replacing(tmp_path / "other") as partial:
        put_back(tmp_path / "link")
        assert not (tmp_path / "mine").exists(), "the other process may be the one that moved it"
        partial.touch()
    put_back(tmp_path / "link")
    assert text_of(tmp_path / "mine") == "old"
    write("folder", tmp_path / "mine", "newer")
    assert names(tmp_path) == {"mine", "link", "other"}


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and flock")
def test_of_two_folders_that_were_moved_aside_the_newest_is_put_back(tmp_path):
    write("folder", tmp_path / "mine", "old")
    kill("folder", tmp_path / "mine", 3)
    kill("folder", tmp_path / "mine", 2)
    put_back(tmp_path / "mine")
    assert text_of(tmp_path / "mine") == "new"


def test_nothing_is_put_back_where_nothing_was_moved_aside(tmp_path):
    write("folder", tmp_path / "mine", "old")
    for path in (tmp_path / "mine", tmp_path / "a" / "b", tmp_path / ("x" * 300), Path("a\0b")):
        put_back(path)
    assert names(tmp_path) == {"mine"} and text_of(tmp_path / "mine") == "old"


CHECK = """
import os, signal, sys
from pathlib import Path
from microgpt.atomic import check_folder

os.rmdir = lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL)
check_folder(Path(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and flock")
def test_what_a_killed_check_leaves_is_not_put_back_and_the_next_write_removes_it(tmp_path):
    command = [sys.executable, "-c", CHECK, str(tmp_path / "mine")]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    put_back(tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
    write("folder", tmp_path / "mine", "new")
    assert names(tmp_path) == {"mine"}


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


def test_a_loop_of_symbolic_links_is_an_error_of_the_system(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links"):
        write("file", tmp_path / "loop", "text")
    assert names(tmp_path) == {"loop"}


def test_a_folder_that_can_be_written_passes_the_check_and_leaves_nothing(tmp_path):
    check_folder(tmp_path / "a" / "mine")
    assert names(tmp_path / "a") == set()
    write("folder", tmp_path / "a" / "mine", "old")
    check_folder(tmp_path / "a" / "mine")
    assert text_of(tmp_path / "a" / "mine") == "old"


@pytest.mark.parametrize("length", range(225, 256))
def test_a_name_that_passes_the_check_can_be_written_and_replaced(tmp_path, length):
    """The names of partial files are longer, and file systems allow 255 characters."""
    path = tmp_path / ("x" * length)
    try:
        check_folder(path)
    except OSError:
        with pytest.raises(OSError):
            for text in ("old", "new"):
                write("folder", path, text)
    else:
        for text in ("old", "new"):
            write("folder", path, text)
        assert text_of(path) == "new"


def test_an_error_names_the_file_that_was_to_be_written(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(OSError) as error:
        write("file", tmp_path / "mine", "a file cannot replace a folder")
    assert error.value.filename == str(tmp_path / "mine")


def test_an_error_names_the_file_of_a_folder_that_was_to_be_written(tmp_path):
    with pytest.raises(OSError) as error, replacing(tmp_path / "mine") as partial:
        (partial / "text").write_text("the folder does not exist yet")
    assert error.value.filename == str(tmp_path / "mine" / "text")


def test_an_error_about_another_file_names_that_file(tmp_path):
    with pytest.raises(OSError) as error, replacing(tmp_path / "mine"):
        (tmp_path / "missing").read_text()
    assert error.value.filename == str(tmp_path / "missing")

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt.atomic import replacing

ROOT = Path(__file__).parents[1]
# Writes a folder and kills itself at its N-th rename; at N = 0, while the folder is being filled.
KILLED = """
import os, signal, sys
from pathlib import Path
from microgpt.atomic import replacing

left = int(sys.argv[2])

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def replace(*args, real=os.replace):
    global left
    left -= 1
    if left == 0:
        kill()
    real(*args)

os.replace = replace
with replacing(Path(sys.argv[1])) as partial:
    (partial / "text").write_text("new")
    if left == 0:
        kill()
"""


def write(folder: Path, text: str) -> None:
    with replacing(folder) as partial:
        (partial / "text").write_text(text)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and flock")
@pytest.mark.parametrize(("rename", "whole"), [(0, True), (1, True), (2, False)])
def test_what_a_killed_writer_left_goes_with_the_next_one(tmp_path, rename, whole):
    write(tmp_path / "mine", "old")
    kept = {".mine.snapshot", ".mine.abcdefgh.partial.2", ".mine.x.abcdefgh.partial", "other"}
    for name in kept:
        (tmp_path / name).mkdir()
    command = [sys.executable, "-c", KILLED, str(tmp_path / "mine"), str(rename)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "mine").exists() == whole
    left = names(tmp_path) - kept - {"mine"}
    assert len(left) == (1 if whole else 2)

    write(tmp_path / "other", "another writer's")
    assert left < names(tmp_path)
    write(tmp_path / "mine", "newer")
    assert names(tmp_path) == {*kept, "mine"}
    assert (tmp_path / "mine" / "text").read_text() == "newer"


def test_a_writer_at_work_is_not_disturbed_by_another(tmp_path):
    with replacing(tmp_path / "mine") as partial:
        (partial / "text").write_text("slow")
        write(tmp_path / "mine", "quick")
        write(tmp_path / "other", "quick")
        assert (tmp_path / "mine" / "text").read_text() == "quick"
        assert (partial / "text").read_text() == "slow"
    assert names(tmp_path) == {"mine", "other"}
    assert (tmp_path / "mine" / "text").read_text() == "slow"


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
def test_a_folder_is_written_where_the_file_system_knows_no_locks(tmp_path, monkeypatch):
    def refuse(*args: object) -> None:
        raise OSError("no locks available")

    (tmp_path / ".mine.abcdefgh.partial").mkdir()
    monkeypatch.setattr("fcntl.flock", refuse)
    write(tmp_path / "mine", "text")
    assert names(tmp_path) == {"mine", ".mine.abcdefgh.partial"}


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path):
    write(tmp_path / "mine", "old")
    with pytest.raises(ValueError, match="no"), replacing(tmp_path / "mine") as partial:
        (partial / "text").write_text("half")
        raise ValueError("no")
    assert names(tmp_path) == {"mine"}
    assert (tmp_path / "mine" / "text").read_text() == "old"
    assert os.listdir(tmp_path / "mine") == ["text"]

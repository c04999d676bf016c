import subprocess
import sys
from pathlib import Path

import pytest

from microgpt.locks import locked

ROOT = Path(__file__).parents[1]
HOLDER = """
import sys
from pathlib import Path
from microgpt.locks import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_only_one_holds_the_lock(tmp_path):
    path, other = tmp_path / "lock", tmp_path / "other"
    path.touch()
    other.touch()
    with locked(path):
        with pytest.raises(BlockingIOError), locked(path):
            pass
        with locked(other):
            pass
    with locked(path):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
def test_a_shared_lock_keeps_out_an_exclusive_one_only(tmp_path):
    with locked(tmp_path, shared=True) as one, locked(tmp_path, shared=True) as other:
        assert one and other
        with pytest.raises(BlockingIOError), locked(tmp_path):
            pass
    with locked(tmp_path) as held:
        assert held


def test_an_error_releases_the_lock(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    with pytest.raises(ValueError, match="no"), locked(path):
        raise ValueError("no")
    with locked(path):
        pass


def test_a_missing_path_is_not_created(tmp_path):
    with pytest.raises(FileNotFoundError), locked(tmp_path / "lock"):
        pass
    assert not (tmp_path / "lock").exists()


def test_a_killed_process_no_longer_holds_the_lock(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError), locked(path):
            pass
        process.kill()
    with locked(path):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    def refuse(*args: object) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked(tmp_path) as first, locked(tmp_path) as second:
        assert not first and not second

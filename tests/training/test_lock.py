import subprocess
import sys
from pathlib import Path

import pytest

from microgpt.training.lock import exclusive
from tests.folders import names

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from microgpt.training.lock import exclusive

with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_only_one_holds_the_lock(tmp_path):
    path = tmp_path / "lock"
    with exclusive(path):
        with pytest.raises(BlockingIOError), exclusive(path):
            pass
        with exclusive(tmp_path / "other"):
            pass
    with exclusive(path):
        pass
    assert names(tmp_path) == {"lock", "other"}


def test_an_error_releases_the_lock(tmp_path):
    with pytest.raises(ValueError, match="no"), exclusive(tmp_path / "lock"):
        raise ValueError("no")
    with exclusive(tmp_path / "lock"):
        pass


def test_a_killed_process_no_longer_holds_the_lock(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError), exclusive(path):
            pass
        process.kill()
    with exclusive(path):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    def refuse(*args: object) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with exclusive(tmp_path / "lock"), exclusive(tmp_path / "lock"):
        pass

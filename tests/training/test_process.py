"""A worker's process without a text, which ends with a sentence; test_jobs.py trains."""

import os
import sys
import threading
from pathlib import Path

import pytest

from microgpt.training.job_limits import Limits
from microgpt.training.process import NICE, WorkerProcess
from microgpt.training.worker import Request
from tests.training.small_job import SHAPE, SHORT, SOURCE


def test_a_process_has_a_low_priority_reports_and_ends(tmp_path):
    ended, events = threading.Event(), []
    request = Request(SHAPE, SHORT, SOURCE, "", 300.0, Limits())
    process = WorkerProcess(tmp_path, request, lambda *event: events.append(event), ended.set)
    if sys.platform != "win32":
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(own + NICE, 19)
        assert os.getpgid(process.pid) == process.pid, "Ctrl-C does not reach it"
    assert ended.wait(300)
    process.wait()
    (event,) = events
    changed = "the text of this run changed on the server; start the run again"
    assert event == ("error", changed)
    process.send("stop")  # nothing happens
    process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_gives_way_and_ends_when_its_server_is_killed(tmp_path):
    """The server is this process: closing the pipe is what the system does when it ends."""
    ended = threading.Event()
    request = Request(SHAPE, SHORT, SOURCE, "", 300.0, Limits())
    os.mkfifo(tmp_path / "text.txt")  # the worker waits for a text that never comes
    process = WorkerProcess(tmp_path, request, lambda *event: None, ended.set)
    assert Path(f"/proc/{process.pid}/oom_score_adj").read_text() == "1000\n"
    if (group := Path("/proc/self/autogroup")).exists():  # in which priorities are compared
        theirs = Path(f"/proc/{process.pid}/autogroup").read_text()
        # Both are empty where no terminal and no setsid gave the tests a group of their own.
        assert theirs.split()[:1] == group.read_text().split()[:1]
    assert process._process.stdin is not None
    process._process.stdin.close()
    assert ended.wait(300)
    assert process._process.returncode == 1

"""The process of a visitor's training run: its start, its commands and its events."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microgpt.training.worker import Request

# Added to the server's niceness, which lowers the priority. On a core that the server wants too,
# the process then gets about a tenth of the time.
NICE = 10
_ROOT = Path(__file__).parents[2]


class WorkerProcess:
    """A process that trains, and a thread that reads its events.

    on_event: called with the name and the value of each event (see worker.py). on_exit: called
    once, after the process has ended and after its last event. Raises OSError if the process cannot
    start.
    """

    def __init__(
        self,
        folder: Path,
        request: Request,
        on_event: Callable[[str, Any], object],
        on_exit: Callable[[], object],
    ):
        self._on_event, self._on_exit = on_event, on_exit
        command = [sys.executable, "-m", "microgpt.training.worker", str(folder)]
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        # A second thread would hardly speed up models this small, and take a core from the server.
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, env=environment, **pipes, **_apart())
        self._lower_priority()
        self.send(request.to_json())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, command: str) -> None:
        """Send a line; nothing happens if the process has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(f"{command}\n".encode("ascii"))
            self._process.stdin.flush()

    def kill(self) -> None:
        """End the process at once; on_exit is called as after any other end."""
        self._process.kill()

    def wait(self) -> None:
        """Wait until on_exit has returned."""
        self._reader.join()

    def _lower_priority(self) -> None:
        """Give way to the server, and be the first to end when the machine has no memory left."""
        with contextlib.suppress(OSError):
            if sys.platform != "win32":
                os.setpriority(os.PRIO_PROCESS, self.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICE)
            if sys.platform == "linux":
                Path(f"/proc/{self.pid}/oom_score_adj").write_text("1000", encoding="ascii")

    def _read(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            with self._process.stdout as events:
                for line in events:
                    # The last line of a killed process may be incomplete.
                    with contextlib.suppress(json.JSONDecodeError):
                        for name, value in json.loads(line).items():
                            self._on_event(name, value)
        except BaseException:
            self.kill()  # it would wait for a reader
            raise
        finally:
            self._process.wait()
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            self._on_exit()


def _apart() -> dict[str, Any]:
    """Arguments of Popen: Ctrl-C in the server's terminal must not reach the process.

    A new session would do that too, but Linux may give each session its own share of the CPU, and
    priorities count only within a session (autogroups, man 7 sched).
    """
    if sys.platform == "win32":
        low = subprocess.BELOW_NORMAL_PRIORITY_CLASS
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | low}
    return {"process_group": 0}

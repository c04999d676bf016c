"""What the operator of a server allows visitors to train."""

import contextlib
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from microgpt.training.job_status import JobError

RUNS, MINUTES = "MICROGPT_TRAINING", "MICROGPT_TRAINING_MINUTES"
DEFAULT_MINUTES = 5.0
_MOST_RUNS, _MOST_MINUTES = 64, 24 * 60
# With less memory, runs are off by default. The app took up to 876 MiB with 30 visitors or more
# (README.md), and a run takes up to 447 MiB (docs/hosting.md).
LEAST_MEMORY = 2 * 2**30
# Streamlit Community Cloud puts the repository here.
_COMMUNITY_CLOUD = Path("/mount/src")


@dataclass(frozen=True)
class Settings:
    """How many runs train at once, 0 for none, and for how many minutes each.

    reason: why there are none if the operator did not decide it, a sentence for visitors without
    its full stop; otherwise empty.
    """

    at_once: int
    minutes: float = DEFAULT_MINUTES
    reason: str = ""


def operator_setting(
    environ: Mapping[str, str], code: Path | None = None, memory: int | None = None
) -> Settings:
    """Read MICROGPT_TRAINING (`off`, or runs at once) and MICROGPT_TRAINING_MINUTES.

    Without MICROGPT_TRAINING there is one run at once, but none on Streamlit Community Cloud and on
    a machine with less than LEAST_MEMORY. code, memory: the folder of the program and the bytes of
    memory, by default those of this process. Raises JobError for a malformed value.
    """
    minutes = _minutes(environ.get(MINUTES, "").strip())
    runs = environ.get(RUNS, "").strip().lower()
    if runs == "off":
        return Settings(0, minutes)
    if runs:
        if not runs.isdecimal() or not 1 <= int(runs) <= _MOST_RUNS:
            raise JobError(
                f"{RUNS} is {runs[:20]!r}; it must be off or a number from 1 to {_MOST_RUNS}"
            )
        return Settings(int(runs), minutes)
    code = Path(__file__).resolve() if code is None else code
    if code.is_relative_to(_COMMUNITY_CLOUD):
        reason = "training is off here, because the host may give the app too little memory for it"
        return Settings(0, minutes, reason)
    memory = memory_limit() if memory is None else memory
    if memory is not None and memory < LEAST_MEMORY:
        reason = "training is off here, because the machine has too little memory for it"
        return Settings(0, minutes, reason)
    return Settings(1, minutes)


def _minutes(text: str) -> float:
    try:
        minutes = float(text or DEFAULT_MINUTES)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes <= _MOST_MINUTES:
        raise JobError(
            f"{MINUTES} is {text[:20]!r}; it must be a number of minutes, at most {_MOST_MINUTES}"
        )
    return minutes


def memory_limit(root: Path = Path("/")) -> int | None:
    """The bytes of memory of this machine or container; None where it is unknown.

    root: the folder that holds the system's files.
    """
    found = []
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # cgroups, versions 2 and 1
        try:
            text = (root / "sys/fs/cgroup" / name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdecimal():  # and not `max`
            found.append(int(text))
    if sys.platform != "win32":
        with contextlib.suppress(OSError, ValueError):
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found, default=None)

"""The memory and the time of a visitor's training run of each size, printed as JSON (Linux only).

Run: python tests/benchmarks/training.py
For the memory alone, short runs are enough: python tests/benchmarks/training.py --steps 100

The text is almost as long as a visitor's may be. The estimate is the one that the page shows before
the run: of the training, without the start of the process and the measurements at the end.
"""

import argparse
import dataclasses
import json
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from microgpt.config import TrainConfig
from microgpt.tasks import task_text
from microgpt.training.finish import Source
from microgpt.training.job_status import JobStatus
from microgpt.training.jobs import Jobs
from microgpt.training.sizes import SIZES, Size, estimate_seconds


def measure(size: Size, text: str) -> dict[str, float]:
    """The peak memory of a run in MiB, and its seconds."""
    model = dataclasses.replace(size.model, vocab_size=len(set(text)))
    estimate = estimate_seconds(model, size.train)
    peak = 0
    with tempfile.TemporaryDirectory() as folder:
        jobs = Jobs(Path(folder), at_once=1, minutes=24 * 60)
        started = time.perf_counter()
        job = jobs.submit(text, size.model, size.train, Source())

        def ended(status: JobStatus) -> bool:
            nonlocal peak
            if (process := jobs._jobs[job].process) is not None:
                info = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
                if found := re.search(r"VmHWM:\s+(\d+) kB", info):  # not once it has ended
                    peak = int(found[1]) // 1024
            return status.ended

        status = jobs.wait_for(job, ended, seconds=24 * 3600)
        seconds = time.perf_counter() - started
        jobs.close()
    if status.error:
        raise RuntimeError(status.error)
    training = status.rows[-1].wall_seconds or 0.0
    return {
        "peak memory, MiB": peak,
        "seconds": round(seconds, 1),
        "seconds of training": round(training, 1),
        "estimate, seconds": round(estimate, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, help="train so many steps (default: all of the size)")
    steps = parser.parse_args().steps
    text = task_text(TrainConfig(task="repeats"))
    assert text is not None
    measured = {}
    for name, size in SIZES.items():
        train = dataclasses.replace(size.train, steps=steps or size.train.steps)
        measured[name] = measure(dataclasses.replace(size, train=train), text)
    print(json.dumps(measured, indent=1))


if __name__ == "__main__":
    main()

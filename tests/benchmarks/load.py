"""Many people who write at the same time, on one server.

Run: python tests/benchmarks/load.py
Print the README's table and the sentence of docs/hosting.md from the record:
python tests/benchmarks/load.py --table

A session is a client without a browser. It opens the Generate page with a link of its own and waits
until its text is written. The same load is put on an earlier commit, and on threads that each
recompute the whole window for every character, without the app. It is measured without and with
one more visitor, who opens every page and reruns it meanwhile, and beside a training run, as a
visitor may start one. The record is assets/benchmarks/load.json.
"""

import dataclasses
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from record import machine, machine_line, run  # noqa: E402
from serving import Server, served  # noqa: E402
from visitor import Visitor  # noqa: E402

from microgpt.checkpoint import load  # noqa: E402
from microgpt.config import TrainConfig  # noqa: E402
from microgpt.tasks import task_text  # noqa: E402
from microgpt.training.finish import Source  # noqa: E402
from microgpt.training.job_limits import MAX_STEPS  # noqa: E402
from microgpt.training.jobs import Jobs  # noqa: E402
from microgpt.training.sizes import SIZES  # noqa: E402

RECORD = ROOT / "assets" / "benchmarks" / "load.json"
# The last commit before texts were written together.
BEFORE = "8d73190"
PAGES = {"Generate": "", "Attention": "attention", "Loss record": "loss_record"}
SESSIONS, MANY, LENGTH, ROUNDS = 30, 100, 450, 3
IDLE_OPENINGS, VANISHING = 5, 500
ALL, RATES = "characters/s of all together", "characters/s of each"
OPEN, RERUN = "seconds to open", "seconds to rerun"
# Keys of the record.
BEFORE_THEN = f"{SESSIONS} sessions, commit {BEFORE}"
TOGETHER, BESIDE = f"{SESSIONS} sessions", f"{SESSIONS} sessions beside a visitor who opens pages"
TRAINING = f"{SESSIONS} sessions beside a training run"
CROWD, ONE, RECOMPUTED = (
    f"{MANY} sessions",
    "1 session",
    f"{SESSIONS} threads that recompute the window, characters/s",
)
IDLE, BUSY = "idle", f"while {SESSIONS} write"
VANISHED, LEFT = "sessions that vanish", "before and after they vanish"


def write(url: str, sessions: int, length: int, first_seed: int = 0) -> dict[str, object]:
    """Let sessions write at the same time: the characters/s of all together and of each."""
    ready = threading.Barrier(sessions)

    def one(seed: int) -> float:
        with Visitor(url, query=f"length={length}&seed={seed}") as visitor:
            ready.wait()
            return visitor.run()

    started = time.perf_counter()
    with ThreadPoolExecutor(sessions) as pool:
        seconds = list(pool.map(one, range(first_seed, first_seed + sessions)))
    together = sessions * length / (time.perf_counter() - started)
    return {ALL: round(together), RATES: [round(length / each, 1) for each in seconds]}


def open_pages(url: str) -> dict[str, dict[str, float]]:
    """The seconds to open each page in a new session, and to rerun it."""
    taken: dict[str, dict[str, float]] = {OPEN: {}, RERUN: {}}
    for name, page in PAGES.items():
        with Visitor(url, page, "length=40") as visitor:
            for measured in (OPEN, RERUN):
                taken[measured][name] = visitor.run()
    return taken


def medians(openings: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    return {
        measured: {
            name: round(statistics.median(each[measured][name] for each in openings), 3)
            for name in PAGES
        }
        for measured in (OPEN, RERUN)
    }


def loaded(url: str) -> tuple[list[dict[str, object]], dict[str, dict[str, float]]]:
    """ROUNDS loads of SESSIONS, and the times of the visitor who opens pages meanwhile."""
    rounds: list[dict[str, object]] = []
    openings: list[dict[str, dict[str, float]]] = []
    for number in range(ROUNDS):
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(write, url, SESSIONS, LENGTH, 1000 * (number + 1))
            time.sleep(1)  # until the texts have begun
            while not load.done():
                taken = open_pages(url)
                if not load.done():
                    openings.append(taken)
            rounds.append(load.result())
    return rounds, medians(openings)


@contextmanager
def training() -> Iterator[None]:
    """Train the largest size that a visitor can choose, as the app does, until the block ends."""
    text = task_text(TrainConfig(task="repeats"))
    assert text is not None
    largest = SIZES["tiny"]
    endless = dataclasses.replace(largest.train, steps=MAX_STEPS)
    with tempfile.TemporaryDirectory() as folder:
        jobs = Jobs(Path(folder), at_once=1, minutes=24 * 60)
        try:
            job = jobs.submit(text, largest.model, endless, Source())
            jobs.wait_for(job, lambda status: status.step > 0 or status.ended, seconds=600)
            yield
            if jobs.status(job).state != "training":
                raise RuntimeError("the training run ended early")
        finally:
            jobs.close()


def recomputing() -> float:
    """Characters/s of SESSIONS threads that each recompute a full window for every character."""
    model = load(ROOT / "assets" / "checkpoint").model
    window = torch.zeros(1, model.config.block_size, dtype=torch.long)

    def one(count: int) -> None:
        with torch.inference_mode():
            for _ in range(count):
                model(window)

    one(2)
    started = time.perf_counter()
    with ThreadPoolExecutor(SESSIONS) as pool:
        list(pool.map(one, [4] * SESSIONS))
    return round(4 * SESSIONS / (time.perf_counter() - started), 1)


def vanish(url: str, sessions: int) -> None:
    """Open sessions that ask for a text and leave without reading an answer."""
    for seed in range(sessions):
        with Visitor(url, query=f"length={LENGTH}&seed={seed}") as visitor:
            visitor.request()


def left_behind(server: Server) -> dict[str, list[int]]:
    """Threads and memory of a server before and after VANISHING sessions, and one that never reads.

    Memory is measured when the number of threads is at its lowest, at most a minute later.
    """
    before = [server.threads, server.mib()]
    with Visitor(server.url, query=f"length={LENGTH}") as deaf:
        deaf.request()
        vanish(server.url, VANISHING)
    deadline = time.monotonic() + 60
    while server.threads > before[0] and time.monotonic() < deadline:
        time.sleep(1)
    return {"threads": [before[0], server.threads], "MiB": [before[1], server.mib()]}


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The files of a commit, in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        archive = subprocess.run(
            ["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=True
        )
        subprocess.run(["tar", "x", "-C", name], input=archive.stdout, check=True)
        yield Path(name)


def measure() -> dict[str, object]:
    with checkout(BEFORE) as folder, served(folder) as server:
        write(server.url, 1, LENGTH)
        before = write(server.url, SESSIONS, LENGTH, 1000)
    with served() as server:
        write(server.url, 1, LENGTH)
        time.sleep(5)  # until the fastest backend is compiled and timed
        one = [write(server.url, 1, LENGTH, seed)[ALL] for seed in range(1, 6)]
        open_pages(server.url)
        idle = medians([open_pages(server.url) for _ in range(IDLE_OPENINGS)])
        together = [
            write(server.url, SESSIONS, LENGTH, 10_000 + SESSIONS * number)
            for number in range(ROUNDS)
        ]
        with training():
            trained = [
                write(server.url, SESSIONS, LENGTH, 50_000 + SESSIONS * number)
                for number in range(ROUNDS)
            ]
        beside, busy = loaded(server.url)
        crowd = write(server.url, MANY, LENGTH, 100_000)
        mib = server.mib("VmHWM")
        left = left_behind(server)
    return {
        "command": "python tests/benchmarks/load.py",
        "machine": machine("torch", "streamlit"),
        "characters of each": LENGTH,
        BEFORE_THEN: before,
        TOGETHER: together,
        TRAINING: trained,
        BESIDE: beside,
        CROWD: crowd,
        ONE: one,
        RECOMPUTED: recomputing(),
        IDLE: idle,
        BUSY: busy,
        "peak memory, MiB": mib,
        VANISHED: VANISHING,
        LEFT: left,
    }


def middle(rounds: list[dict]) -> dict:
    """The round with the median of the characters/s of all together."""
    return sorted(rounds, key=lambda each: each[ALL])[len(rounds) // 2]


def slowest(written: dict) -> float:
    """The characters/s of the slowest session, relative to their mean."""
    return min(written[RATES]) / statistics.mean(written[RATES])


def table(record: dict) -> str:
    """The README's table of a record: goals, measured values, and the machine."""
    before, crowd, recomputed = record[BEFORE_THEN], record[CROWD], record[RECOMPUTED]
    loads = {name: record[name] for name in (TOGETHER, BESIDE) if name in record}
    idle, busy = record[IDLE], record[BUSY]
    worst = {
        measured: max(busy[measured][name] / idle[measured][name] for name in PAGES)
        for measured in (OPEN, RERUN)
    }
    rows = [
        (f"{name}, relative to commit {BEFORE}, {before[ALL]} characters/s",
         10, middle(rounds)[ALL] / before[ALL], ">=")
        for name, rounds in loads.items()
    ] + [
        (f"{name}, relative to {SESSIONS} threads that recompute, {recomputed} characters/s",
         8, middle(rounds)[ALL] / recomputed, ">=")
        for name, rounds in loads.items()
    ] + [
        (f"{name}, relative to without it", 0.7,
         middle(record[name])[ALL] / middle(record[TOGETHER])[ALL], ">=")
        for name in (TRAINING,) if name in record
    ] + [
        (f"slowest of {SESSIONS} sessions, relative to their mean", 0.67,
         min(slowest(each) for rounds in loads.values() for each in rounds), ">="),
        (f"slowest of {MANY} sessions, relative to their mean", 0.25, slowest(crowd), ">="),
        (f"opening a page while {SESSIONS} write, relative to an idle server", 3, worst[OPEN],
         "<="),
        (f"rerun of a page while {SESSIONS} write, relative to an idle server", 3, worst[RERUN],
         "<="),
    ]  # fmt: skip
    lines = ["| many visitors | goal | measured | |", "| --- | --- | --- | --- |"]
    for name, goal, measured, sign in rows:
        met = measured >= goal if sign == ">=" else measured <= goal
        verdict = "met" if met else "missed"
        shown = "≥" if sign == ">=" else "≤"
        lines.append(f"| {name} | {shown} {goal:g} × | {measured:.2f} × | {verdict} |")
    left = record[LEFT]
    rates = [f"{middle(rounds)[ALL]:,} for {name}" for name, rounds in loads.items()]
    rates += [
        f"{crowd[ALL]:,} for {CROWD}",
        f"{statistics.median(record[ONE]):,.0f} for one session alone",
    ]
    lines += [
        "",
        f"Characters/s in all, when each session writes {record['characters of each']} characters: "
        f"{'; '.join(rates)}. The server used at most {record['peak memory, MiB']:,} MiB of "
        f"memory. {record[VANISHED]} sessions asked for a text and left at once, and one never "
        f"read its answer: before and after that, the server had {left['threads'][0]} and "
        f"{left['threads'][1]} threads, and used {left['MiB'][0]:,} and {left['MiB'][1]:,} MiB. "
        f"{machine_line(record['machine'])}",
    ]
    return "\n".join(lines)


def capacity(record: dict) -> str:
    """The sentence of docs/hosting.md about how many people one machine serves."""
    loads = [(SESSIONS, middle(record[BESIDE]), " while one more opens pages")]
    loads.append((MANY, record[CROWD], ""))
    served = [
        f"{count} people who write at the same time{beside} get "
        f"{statistics.mean(written[RATES]):.0f} characters/s each (the slowest gets "
        f"{min(written[RATES]):.0f})"
        for count, written, beside in loads
    ]
    return f"On {record['machine']['cores']} cores, {'; '.join(served)}."


if __name__ == "__main__":
    run(RECORD, measure, lambda record: f"{table(record)}\n\n{capacity(record)}")

"""Many people who write at the same time, on one server.

Run: python tests/benchmarks/load.py
Print the README's tables from the record: python tests/benchmarks/load.py --table

A session is a client without a browser. It opens the Generate page with a link of its own and waits
until its text is written. The same load is put on an earlier commit, and on threads that each
recompute the whole window for every character, without the app. While people write, one more
visitor opens every page and reruns it. The record is assets/benchmarks/load.json.
"""

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

RECORD = ROOT / "assets" / "benchmarks" / "load.json"
# The last commit before texts were written together.
BEFORE = "8d73190"
PAGES = {"Generate": "", "Attention": "attention", "Loss record": "loss_record"}
SESSIONS, MANY, LENGTH, ROUNDS = 30, 100, 200, 3
IDLE_OPENINGS, VANISHING = 5, 200
ALL, RATES = "characters/s of all together", "characters/s of each"
OPEN, RERUN = "seconds to open", "seconds to rerun"


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
        alone = [write(server.url, 1, LENGTH, seed)[ALL] for seed in range(1, 6)]
        open_pages(server.url)
        idle = medians([open_pages(server.url) for _ in range(IDLE_OPENINGS)])
        rounds, busy = loaded(server.url)
        many = write(server.url, MANY, LENGTH, 100_000)
        mib = server.mib("VmHWM")
        left = left_behind(server)
    return {
        "command": "python tests/benchmarks/load.py",
        "machine": machine("torch", "streamlit"),
        "characters of each": LENGTH,
        f"{SESSIONS} sessions, commit {BEFORE}": before,
        f"{SESSIONS} sessions": rounds,
        f"{MANY} sessions": many,
        "1 session": alone,
        f"{SESSIONS} threads that recompute the window, characters/s": recomputing(),
        "idle": idle,
        f"while {SESSIONS} write": busy,
        "peak memory, MiB": mib,
        f"before and after {VANISHING} sessions that vanish": left,
    }


def table(record: dict) -> str:
    """The README's tables of a record: goals, measured values, and the machine."""
    before, many = record[f"{SESSIONS} sessions, commit {BEFORE}"], record[f"{MANY} sessions"]
    rounds = sorted(record[f"{SESSIONS} sessions"], key=lambda each: each[ALL])
    middle = rounds[len(rounds) // 2]
    recomputed = record[f"{SESSIONS} threads that recompute the window, characters/s"]
    slow = min(min(each[RATES]) / statistics.mean(each[RATES]) for each in rounds)
    idle, busy = record["idle"], record[f"while {SESSIONS} write"]
    worst = {
        measured: max(busy[measured][name] / idle[measured][name] for name in PAGES)
        for measured in (OPEN, RERUN)
    }
    rows = [
        (f"{SESSIONS} sessions, relative to commit {BEFORE}, {before[ALL]} characters/s",
         10, middle[ALL] / before[ALL], ">="),
        (f"{SESSIONS} sessions, relative to as many threads that recompute, {recomputed} "
         "characters/s", 8, middle[ALL] / recomputed, ">="),
        (f"slowest of {SESSIONS} sessions, relative to their mean", 0.67, slow, ">="),
        (f"slowest of {MANY} sessions, relative to their mean", 0.25,
         min(many[RATES]) / statistics.mean(many[RATES]), ">="),
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
    left = record[f"before and after {VANISHING} sessions that vanish"]
    alone = statistics.median(record["1 session"])
    lines += [
        "",
        f"{SESSIONS} sessions that write {record['characters of each']} characters each get "
        f"{middle[ALL]:,} characters/s together, beside a visitor who keeps opening pages. {MANY} "
        f"sessions without such a visitor get {many[ALL]:,}, and one alone {alone:,.0f}. The "
        f"server's memory was at most {record['peak memory, MiB']:,} MiB. {VANISHING} sessions "
        "that asked for a text and left "
        f"at once, beside one that never read its answer, took it from {left['threads'][0]} to "
        f"{left['threads'][1]} threads and from {left['MiB'][0]:,} to {left['MiB'][1]:,} MiB. "
        f"{machine_line(record['machine'])}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    run(RECORD, measure, table)

"""The time of a rerun of each page when nothing changed, and the memory after 500 reruns.

Run: python tests/benchmarks/reruns.py
Print the README's table from the record: python tests/benchmarks/reruns.py --table

A client without a browser reruns each page. Memory is the resident size of the server's process.
Written to assets/benchmarks/reruns.json.
"""

import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from record import machine, machine_line, run  # noqa: E402
from serving import served  # noqa: E402
from visitor import Visitor  # noqa: E402

RECORD = ROOT / "assets" / "benchmarks" / "reruns.json"
PAGES = {
    "Generate": "",
    "Attention": "attention",
    "Inside": "inside",
    "Train": "train",
    "Cross-attention": "cross_attention",
    "Loss record": "loss_record",
}
TIMED, EARLY, LATE = 20, 100, 500
# The goal: how much memory may grow between the EARLY and the LATE rerun of a page, in MiB.
MOST_GROWTH = 10


def milliseconds(url: str) -> dict[str, float]:
    """The median time of a rerun of each page, in milliseconds."""
    times = {}
    for name, page in PAGES.items():
        with Visitor(url, page) as visitor:
            for _ in range(3):
                visitor.run()
            taken = [visitor.run() for _ in range(TIMED)]
        times[name] = round(1000 * statistics.median(taken), 1)
    return times


def memory() -> dict[str, list[int]]:
    """MiB of one server after EARLY and after LATE reruns of each page, page by page."""
    held = {}
    with served() as server:
        for name, page in PAGES.items():
            with Visitor(server.url, page) as visitor:
                for _ in range(EARLY):
                    visitor.run()
                early = server.mib()
                for _ in range(LATE - EARLY):
                    visitor.run()
                held[name] = [early, server.mib()]
    return held


def measure() -> dict[str, object]:
    with served() as server:
        taken = milliseconds(server.url)
    return {
        "command": "python tests/benchmarks/reruns.py",
        "machine": machine("torch", "streamlit"),
        "milliseconds": taken,
        f"MiB after {EARLY} and {LATE} reruns": memory(),
    }


def table(record: dict) -> str:
    """The README's table of a record."""
    held = record[f"MiB after {EARLY} and {LATE} reruns"]
    lines = [
        f"| page | empty rerun | memory after {EARLY} and {LATE} reruns |",
        "| --- | --- | --- |",
    ]
    for name in PAGES:
        early, late = held[name]
        taken = record["milliseconds"][name]
        lines.append(f"| {name} | {taken:.0f} ms | {early}, {late} MiB |")
    growth = max(late - early for early, late in held.values())
    verdict = "met" if growth <= MOST_GROWTH else "missed"
    goal = f"Memory grows by at most {growth} MiB (goal: {MOST_GROWTH} MiB, {verdict})."
    return "\n".join([*lines, "", f"{goal} {machine_line(record['machine'])}"])


if __name__ == "__main__":
    run(RECORD, measure, table)

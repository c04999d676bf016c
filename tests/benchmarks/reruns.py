"""Time of an empty rerun of each page, and memory after 500 of them.

Run: python tests/benchmarks/reruns.py
Print the README's table from the record: python tests/benchmarks/reruns.py --table

An empty rerun runs the page again with nothing changed. A client without a browser reruns each page
of two servers, one server after the other on the same machine: one with the settings of
.streamlit/config.toml, and one with Streamlit's defaults, which collect garbage after every run and
watch every loaded module. Memory is the resident set size of the server's process. The record is
assets/benchmarks/reruns.json.
"""

import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from record import machine, machine_line, options, read_record, write_record  # noqa: E402
from serving import served  # noqa: E402
from visitor import Visitor  # noqa: E402

RECORD = ROOT / "assets" / "benchmarks" / "reruns.json"
PAGES = {"Generate": "", "Attention": "attention", "Loss record": "loss_record"}
DEFAULTS = ("--runner.postScriptGC=true", "--server.fileWatcherType=auto")
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
    with served(*DEFAULTS) as server:
        defaults = milliseconds(server.url)
    with served() as server:
        ours = milliseconds(server.url)
    return {
        "command": "python tests/benchmarks/reruns.py",
        "machine": machine("torch", "streamlit"),
        "milliseconds, Streamlit's defaults": defaults,
        "milliseconds": ours,
        f"MiB after {EARLY} and {LATE} reruns": memory(),
    }


def table(record: dict) -> str:
    """The README's table of a record."""
    ours, defaults = record["milliseconds"], record["milliseconds, Streamlit's defaults"]
    held = record[f"MiB after {EARLY} and {LATE} reruns"]
    lines = [
        "| page | empty rerun | with Streamlit's defaults | speed-up "
        f"| memory after {EARLY} and {LATE} reruns |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in PAGES:
        early, late = held[name]
        lines.append(
            f"| {name} | {ours[name]:.0f} ms | {defaults[name]:.0f} ms "
            f"| {defaults[name] / ours[name]:.1f} | {early}, {late} MiB |"
        )
    growth = max(late - early for early, late in held.values())
    verdict = "met" if growth <= MOST_GROWTH else "missed"
    goal = f"Memory grows by at most {growth} MiB (goal: {MOST_GROWTH} MiB, {verdict})."
    return "\n".join([*lines, "", f"{goal} {machine_line(record['machine'])}"])


def main() -> None:
    args = options(RECORD).parse_args()
    if not args.table:
        write_record(measure(), args.out)
    print(table(read_record(args.out)))


if __name__ == "__main__":
    main()

"""The time from `streamlit run` to the first text on the page, and to the whole page.

Run: python tests/benchmarks/cold_start.py
Print the README's table from the record: python tests/benchmarks/cold_start.py --table

A server is started, and a client without a browser asks for the Generate page as soon as the server
answers, then reads until the page is complete. The first text is the title of the page or, if that
comes later, the first other text. An earlier commit is measured in the same run, in turns. The
record is assets/benchmarks/cold_start.json.
"""

import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from load import checkout  # noqa: E402
from record import machine, machine_line, run  # noqa: E402
from serving import served  # noqa: E402
from visitor import Visitor  # noqa: E402

RECORD = ROOT / "assets" / "benchmarks" / "cold_start.json"
# The last commit whose title waited for PyTorch.
BEFORE = "1da48cb"
ROUNDS = 7
GOAL = 0.5
FIRST, WHOLE = "seconds to the first text", "seconds to the whole page"
# The pages: the first one, and one that a link leads to.
PAGES = {"Generate": "", "Attention, by its link": "attention"}


def start(folder: Path, page: str) -> tuple[float, float]:
    """Start the app of a checkout, and open a page: seconds to its first text, and to its end."""
    started = time.perf_counter()
    first = None
    with served(folder) as server, Visitor(server.url, page) as visitor:
        visitor.request()
        for answer in visitor.answers():
            element = answer.delta.new_element
            if first is None and (element.heading.body or element.markdown.body):
                first = time.perf_counter() - started
        whole = time.perf_counter() - started
    assert first is not None
    return round(first, 3), round(whole, 3)


def measure() -> dict[str, object]:
    times: dict[str, dict[str, list[tuple[float, float]]]] = {
        commit: {name: [] for name in PAGES} for commit in (BEFORE, "now")
    }
    with checkout(BEFORE) as before:
        for folder in (before, ROOT):  # once, so that Python has compiled the modules of both
            start(folder, "")
        for _ in range(ROUNDS):
            for commit, folder in ((BEFORE, before), ("now", ROOT)):
                for name, page in PAGES.items():
                    times[commit][name].append(start(folder, page))
    return {
        "command": "python tests/benchmarks/cold_start.py",
        "machine": machine("torch", "streamlit"),
        "rounds": ROUNDS,
        FIRST: _part(times, 0),
        WHOLE: _part(times, 1),
    }


def _part(times: dict, index: int) -> dict[str, dict[str, list[float]]]:
    return {
        commit: {name: [each[index] for each in rounds] for name, rounds in pages.items()}
        for commit, pages in times.items()
    }


def table(record: dict) -> str:
    """The README's table of a record: medians before and now, and the goal."""
    lines = [
        f"| from `streamlit run` to | commit {BEFORE} | now | relative | goal | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for measured, goal in ((FIRST, GOAL), (WHOLE, None)):
        for page in PAGES:
            before, now = (
                statistics.median(record[measured][commit][page]) for commit in (BEFORE, "now")
            )
            ratio = now / before
            verdict = ("met" if ratio <= goal else "missed") if goal else ""
            what = f"{measured.removeprefix('seconds to ')}: {page}"
            goals = f"≤ {goal:g} ×" if goal else ""
            lines.append(
                f"| {what} | {before:.2f} s | {now:.2f} s | {ratio:.2f} × | {goals} | {verdict} |"
            )
    lines += ["", f"Medians of {record['rounds']} starts. {machine_line(record['machine'])}"]
    return "\n".join(lines)


if __name__ == "__main__":
    run(RECORD, measure, table)

"""Overhead of the page over the engine alone when text is streamed, on the server.

Run: python tests/benchmarks/stream.py
Print the README's table from the record: python tests/benchmarks/stream.py --table

Each round writes the same characters twice in this process: with the iterator alone, then with the
Generate page in Streamlit's script runner, which serialises, hashes and queues every message for a
browser. The record is assets/benchmarks/stream.json.
"""

import statistics
import sys
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from record import machine, machine_line, run  # noqa: E402

from microgpt.generate import generate, start_ids  # noqa: E402
from microgpt.sampling import SamplingConfig  # noqa: E402
from microgpt.ui import cache  # noqa: E402

RECORD = ROOT / "assets" / "benchmarks" / "stream.json"
PROMPT, LENGTH, ROUNDS = "FIRST SAILOR:\n", 2000, 9
BARE, PAGE = "engine alone, characters/s", "page, characters/s"
MOST = 0.25  # the goal: the overhead of the page, as a fraction of the engine's time


def bare() -> float:
    """Characters/s of the iterator alone, after the first character."""
    checkpoint = cache.bundled()
    ids = start_ids(checkpoint.tokenizer, PROMPT)
    decoder = cache.engine(checkpoint).decoder()
    stream = generate(decoder, checkpoint.tokenizer, ids, LENGTH, SamplingConfig())
    next(stream)
    started = time.perf_counter()
    for _ in stream:
        pass
    return (LENGTH - 1) / (time.perf_counter() - started)


def page(app: AppTest) -> float:
    """Characters/s as measured by the page."""
    next(button for button in app.button if button.label == "Write").click().run()
    written = app.session_state["generated_text"]
    if app.exception or written.count != LENGTH:
        raise SystemExit(f"the page did not write {LENGTH} characters")
    return written.rate


def measure() -> dict[str, object]:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=600)
    app.query_params["prompt"] = PROMPT
    app.query_params["length"] = str(LENGTH)
    app.run()
    engine = cache.engine(cache.bundled())
    engine.wait()
    pairs = [(bare(), page(app)) for _ in range(ROUNDS)]
    return {
        "command": "python tests/benchmarks/stream.py",
        "machine": machine("torch", "streamlit"),
        "backend": engine.backend,
        "characters": LENGTH,
        BARE: [round(alone) for alone, _ in pairs],
        PAGE: [round(streamed) for _, streamed in pairs],
    }


def table(record: dict) -> str:
    """The README's table of a record: both speeds, the overhead and its goal."""
    alone, streamed = record[BARE], record[PAGE]
    on_top = statistics.median(a / s for a, s in zip(alone, streamed, strict=True)) - 1
    verdict = "met" if on_top <= MOST else "missed"
    return "\n".join(
        [
            f"| {BARE} | {PAGE} | overhead | goal | |",
            "| --- | --- | --- | --- | --- |",
            f"| {statistics.median(alone):,.0f} | {statistics.median(streamed):,.0f} "
            f"| {on_top:+.0%} | at most {MOST:.0%} | {verdict} |",
            "",
            machine_line(record["machine"]),
        ]
    )


if __name__ == "__main__":
    run(RECORD, measure, table)

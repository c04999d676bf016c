"""Overhead of the scheduler and of the page over the decoder alone, for one text, on the server.

Run: python tests/benchmarks/stream.py
Print the README's table from the record: python tests/benchmarks/stream.py --table

Each round writes the same characters three times in this process: with the decoder, with the
scheduler, and with the Generate page in Streamlit's script runner, which serialises, hashes and
queues every message for a browser. The record is assets/benchmarks/stream.json.
"""

import statistics
import sys
import time
from contextlib import closing
from pathlib import Path

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from record import machine, machine_line, run  # noqa: E402

from microgpt.generate import generate, start_ids  # noqa: E402
from microgpt.sampling import SamplingConfig  # noqa: E402
from microgpt.ui.cache.checkpoints import bundled_checkpoint  # noqa: E402
from microgpt.ui.cache.writing import engine_of  # noqa: E402
from microgpt.ui.stream import SMOOTH  # noqa: E402

RECORD = ROOT / "assets" / "benchmarks" / "stream.json"
PROMPT, LENGTH, ROUNDS = "FIRST SAILOR:\n", 2000, 9
BARE, SCHEDULED, PAGE = "decoder alone", "scheduler, one text", "page"
# The goals: the overhead over the decoder, as a fraction of its time.
MOST = {SCHEDULED: 0.05, PAGE: 0.25}


def bare() -> float:
    """Characters/s of the decoder, after the first character."""
    checkpoint = bundled_checkpoint()
    ids = start_ids(checkpoint.tokenizer, PROMPT)
    decoder = engine_of(checkpoint).decoder()
    stream = generate(decoder, checkpoint.tokenizer, ids, LENGTH, SamplingConfig())
    next(stream)
    started = time.perf_counter()
    for _ in stream:
        pass
    return (LENGTH - 1) / (time.perf_counter() - started)


def scheduled() -> float:
    """Characters/s of the scheduler for one text, after its first batch."""
    checkpoint = bundled_checkpoint()
    ids = start_ids(checkpoint.tokenizer, PROMPT)
    with closing(engine_of(checkpoint).write(ids, LENGTH, SamplingConfig())) as text:
        text.take(SMOOTH)
        started, written = time.perf_counter(), 0
        while (batch := text.take(SMOOTH)) is not None:
            written += len(batch)
    return written / (time.perf_counter() - started)


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
    engine = engine_of(bundled_checkpoint())
    engine.wait()
    rounds = [(bare(), scheduled(), page(app)) for _ in range(ROUNDS)]
    rates = zip((BARE, SCHEDULED, PAGE), zip(*rounds, strict=True), strict=True)
    return {
        "command": "python tests/benchmarks/stream.py",
        "machine": machine("torch", "streamlit"),
        "backend": engine.backend,
        "characters": LENGTH,
        "characters/s": {name: [round(rate) for rate in found] for name, found in rates},
    }


def table(record: dict) -> str:
    """The README's table of a record: the speeds, the overheads and their goals."""
    rates = record["characters/s"]
    lines = ["| one text | characters/s | overhead | goal | |", "| --- | --- | --- | --- | --- |"]
    lines.append(f"| {BARE} | {statistics.median(rates[BARE]):,.0f} | | | |")
    for name, most in MOST.items():
        pairs = zip(rates[BARE], rates[name], strict=True)
        over = statistics.median(alone / rate for alone, rate in pairs) - 1
        verdict = "met" if over <= most else "missed"
        rate = f"{statistics.median(rates[name]):,.0f}"
        lines.append(f"| {name} | {rate} | {over:+.0%} | at most {most:.0%} | {verdict} |")
    return "\n".join([*lines, "", machine_line(record["machine"])])


if __name__ == "__main__":
    run(RECORD, measure, table)

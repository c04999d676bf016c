"""Cost of the first tab of the Inside page: time until the model is painted, bytes transferred.

Run: python tests/benchmarks/inside.py
Print the README's table from the record: python tests/benchmarks/inside.py --table

As in pages.py, whose texts, clocks and counters it uses. Each round sends a new text, reruns the
page with nothing changed, selects another position, and opens another block. The pass that records
the residual stream is timed in this process, just before its text is sent. The likeliest character
that the page shows is compared with the model's own. The record is assets/benchmarks/inside.json.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from record import goals_table, machine, run  # noqa: E402
from serving import chromium, served  # noqa: E402
from wire import relayed  # noqa: E402

from microgpt.analysis.residuals import residual_stream  # noqa: E402
from microgpt.checkpoint import Checkpoint, load  # noqa: E402
from microgpt.ui.charts.style import visible  # noqa: E402
from pages import CHARACTERS, ROUNDS, SETTLED, Fetched, Texts, counter, rerun, timed, visit  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

RECORD = ROOT / "assets" / "benchmarks" / "inside.json"
LIKELIEST = ".model-flow .row[data-token] .row-sign"
# For each measurement: its unit, the goal (an upper limit), and the decimals shown in the table.
GOALS = {
    "time to show another position, relative to an empty rerun": ("×", 2, 2),
    "time to open another block, relative to an empty rerun": ("×", 2, 2),
    "time to show a new text, relative to a recorded pass plus an empty rerun": ("×", 1.5, 2),
    "first view": ("kB", 1500, 0),
    "each further position or block": ("kB", 150, 0),
}


def open_page(page: "Page", port: int, text: str) -> None:
    page.goto(f"http://127.0.0.1:{port}/inside?text={quote(text)}")
    page.locator(LIKELIEST).first.wait_for()
    page.wait_for_selector(SETTLED)


def send(page: "Page", text: str) -> float:
    page.get_by_role("button", name="Another text").click()
    page.get_by_label("Text", exact=True).fill(text)
    taken = timed(page, "newModel", "keydown", lambda: page.keyboard.press("Control+Enter"))
    page.keyboard.press("Escape")
    return taken


def choose(page: "Page", position: int) -> float:
    """Click on a character of the text, from 0."""
    box = page.locator(f".model-flow .text [data-at='{position}']")
    return timed(page, "newModel", "pointerdown", box.click)


def open_block(page: "Page", layer: int) -> float:
    """Open a block, from 0."""
    button = page.locator(f".model-flow .opener[data-block='{layer}']")
    return timed(page, "newModel", "pointerdown", button.click)


def check(page: "Page", checkpoint: Checkpoint, token: int) -> None:
    """Raise AssertionError unless the page lists this token as the likeliest."""
    shown = page.locator(LIKELIEST).first.inner_text()
    assert visible(checkpoint.tokenizer.characters[token]) == [shown]


def action_times(
    page: "Page", checkpoint: Checkpoint, texts: Texts, sent: Callable[[], int]
) -> dict[str, list[float]]:
    """For each round, milliseconds of each action, and the bytes sent for each further choice."""
    names = ("recorded pass", "new text", "empty rerun", "position", "block", "further bytes")
    taken: dict[str, list[float]] = {name: [] for name in names}
    draw, layers = random.Random(3), checkpoint.config.n_layer
    opened = (layers + 1) // 2 - 1
    for _ in range(ROUNDS):
        text = texts.next()
        ids = checkpoint.tokenizer.encode(text)
        started = time.perf_counter()
        stream = residual_stream(checkpoint.model, ids)
        taken["recorded pass"].append(1000 * (time.perf_counter() - started))
        taken["new text"].append(send(page, text))
        taken["empty rerun"].append(rerun(page))
        at = draw.randrange(CHARACTERS // 2, CHARACTERS - 1)
        opened = draw.choice([layer for layer in range(layers) if layer != opened])
        for what, act in (
            ("position", lambda at=at: choose(page, at)),
            ("block", lambda layer=opened: open_block(page, layer)),
        ):
            before = sent()
            taken[what].append(act())
            taken["further bytes"].append(sent() - before)
        check(page, checkpoint, int(stream.logits[at].argmax()))
    return taken


def measure() -> dict[str, object]:
    """Measure the page and return the record."""
    checkpoint, texts = load(ROOT / "assets" / "checkpoint"), Texts()
    with (
        served() as server,
        relayed(server.port) as wire,
        chromium() as browser,
        visit(browser) as page,
    ):
        sent = counter(wire, Fetched(page))
        open_page(page, wire.port, texts.next())
        page.wait_for_timeout(1000)
        first = sent()
        taken = action_times(page, checkpoint, texts, sent)
    return {
        "command": "python tests/benchmarks/inside.py",
        "machine": machine("torch", "streamlit"),
        "checkpoint": checkpoint.weights_sha256,
        "rounds": ROUNDS,
        "milliseconds, medians": {
            name: round(statistics.median(taken[name]), 1)
            for name in ("recorded pass", "empty rerun", "position", "block", "new text")
        },
        "bytes": {"first view": first, "each further choice, most": max(taken["further bytes"])},
    }


def reached(record: dict) -> list[float]:
    """The measured value for each entry of GOALS."""
    taken, sent = record["milliseconds, medians"], record["bytes"]
    return [
        taken["position"] / taken["empty rerun"],
        taken["block"] / taken["empty rerun"],
        taken["new text"] / (taken["recorded pass"] + taken["empty rerun"]),
        sent["first view"] / 1000,
        sent["each further choice, most"] / 1000,
    ]


def table(record: dict) -> str:
    """The README's table of a record."""
    return goals_table("the Inside page at 256 characters", GOALS, reached(record), record)


if __name__ == "__main__":
    run(RECORD, measure, table)

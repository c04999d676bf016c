"""Cost of the Attention page: time until a map is painted, bytes transferred, memory.

Run: python tests/benchmarks/pages.py
Print the README's table from the record: python tests/benchmarks/pages.py --table

The app runs with the bundled checkpoint, and headless Chromium drives it. Each round sends a new
text, reruns the page with nothing changed (the R key), and selects another head. A time runs from
the input event to the frame after the one that shows the new map. The weights of that map are then
compared with the model's own. The forward pass is timed in this process, just before its text is
sent. Bytes are those of the websocket in both directions, as compressed, and of all HTTP responses
except the page and its static bundle. The record is assets/benchmarks/pages.json.
"""

import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from record import goals_table, machine, run  # noqa: E402
from serving import Server, chromium, served  # noqa: E402
from wire import Wire, relayed  # noqa: E402

from microgpt.analysis.attention import attention_maps  # noqa: E402
from microgpt.checkpoint import Checkpoint, load  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

RECORD = ROOT / "assets" / "benchmarks" / "pages.json"
ROUNDS, CHARACTERS, MOVES, VISITORS, TEXTS = 20, 256, 200, 10, 20
WORDS = "the sea is calm and a wind that was up in my sail went down: O captain! we sleep"
SETTLED = '[data-testid="stApp"][data-test-script-state="notRunning"]'
MAP = '[data-testid="stPlotlyChart"] .heatmaplayer image'
# For each measurement: its unit, the goal (an upper limit), and the decimals shown in the table.
GOALS = {
    "time to show another head, relative to an empty rerun": ("×", 3, 2),
    "time to show a new text, relative to a forward pass plus an empty rerun": ("×", 1.5, 2),
    f"longest task in {MOVES} pointer moves over the text": ("ms", 50, 0),
    f"longest task in {MOVES} pointer moves over the map": ("ms", 50, 0),
    "reruns and redrawn maps during those moves": ("", 0, 0),
    "first view": ("kB", 1500, 0),
    "each further head": ("kB", 150, 0),
    f"memory above idle after {VISITORS} visitors with {TEXTS} texts each": ("MiB", 200, 0),
}


class Texts:
    """Different texts of CHARACTERS characters each."""

    def __init__(self) -> None:
        self._random = random.Random(1)

    def next(self) -> str:
        words = self._random.choices(WORDS.split(), k=CHARACTERS)
        return " ".join(words)[: CHARACTERS - 1] + "."  # a text area would strip a space


class Fetched:
    """Counts the bytes of a page's HTTP responses, without the page and its static bundle."""

    def __init__(self, page: "Page") -> None:
        self.bytes = 0
        page.on("requestfinished", self._add)

    def _add(self, request: "Request") -> None:
        path = urlsplit(request.url).path
        own = request.resource_type != "document" and not path.startswith("/static/")
        if own and request.url.startswith("http"):
            sizes = request.sizes()
            self.bytes += sizes["responseHeadersSize"] + sizes["responseBodySize"]


@contextmanager
def visit(browser: "Browser") -> "Iterator[Page]":
    """Open a page in a session of its own, with the screen size of a desktop."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.add_init_script(path=Path(__file__).with_suffix(".js"))
    yield page
    context.close()


def open_page(page: "Page", port: int, text: str) -> None:
    page.goto(f"http://127.0.0.1:{port}/attention?attention_view=All+heads&text={quote(text)}")
    page.locator(MAP).wait_for(state="attached")
    page.wait_for_selector(SETTLED)


def timed(page: "Page", call: str, event: str, act: Callable[[], None]) -> float:
    """Milliseconds from the input event that `act` causes until its result is painted."""
    page.evaluate(f"void (window.taken = bench.{call}({event!r}))")
    act()
    taken = page.evaluate("window.taken")
    page.wait_for_selector(SETTLED)
    return taken


def send(page: "Page", text: str) -> float:
    page.get_by_label("Text", exact=True).fill(text)
    return timed(page, "newMap", "keydown", lambda: page.keyboard.press("Control+Enter"))


def choose(page: "Page", layer: int, head: int) -> float:
    name = re.compile(rf"^Layer {layer + 1}, head {head + 1}(:|$)")
    button = page.get_by_role("button", name=name)
    return timed(page, "newMap", "pointerdown", button.click)


def rerun(page: "Page") -> float:
    page.evaluate("document.activeElement?.blur()")
    return timed(page, "emptyRerun", "keydown", lambda: page.keyboard.press("r"))


def check_map(page: "Page", weights: np.ndarray) -> None:
    """Raise AssertionError unless the page draws this map (T, T), to three significant digits."""
    row = np.array(page.evaluate("bench.lastRow()"), dtype=float)
    np.testing.assert_allclose(row, weights[-1], rtol=1e-2, atol=1e-6)


def shuffled_heads(checkpoint: Checkpoint) -> list[tuple[int, int]]:
    """Every (layer, head), from 0, in random order."""
    config = checkpoint.config
    every = [(layer, head) for layer in range(config.n_layer) for head in range(config.n_head)]
    random.Random(2).shuffle(every)
    return every


def action_times(
    page: "Page", checkpoint: Checkpoint, texts: Texts, sent: Callable[[], int]
) -> dict[str, list[float]]:
    """For each round, milliseconds of each action, and the bytes sent for another head."""
    taken: dict[str, list[float]] = {
        "forward pass": [],
        "new text": [],
        "empty rerun": [],
        "head": [],
        "head bytes": [],
    }
    for layer, head in shuffled_heads(checkpoint)[:ROUNDS]:
        text = texts.next()
        ids = checkpoint.tokenizer.encode(text)
        started = time.perf_counter()
        maps = attention_maps(checkpoint.model, ids).weights.numpy()
        taken["forward pass"].append(1000 * (time.perf_counter() - started))
        taken["new text"].append(send(page, text))
        taken["empty rerun"].append(rerun(page))
        before = sent()
        taken["head"].append(choose(page, layer, head))
        taken["head bytes"].append(sent() - before)
        check_map(page, maps[layer, head])
    return taken


def moves(page: "Page", points: list[tuple[float, float]], answer: str) -> dict[str, float]:
    """Move the pointer: the longest task in ms (0 if none exceeds 50), reruns, and redrawn maps."""
    page.evaluate("bench.longTasks.length = bench.seen.runs = bench.seen.drawings = 0")
    answers = set()
    for x, y in points:
        page.mouse.move(x, y)
        page.evaluate("bench.frame()")
        answers.add(page.evaluate(answer))
    page.wait_for_timeout(500)  # the browser reports a long task with a delay
    # A chart updates its hover label at most once in 50 ms.
    assert len(answers) > MOVES / 4, f"{len(answers)} answers to {MOVES} moves"
    seen = page.evaluate("bench.seen")
    longest = max(page.evaluate("bench.longTasks"), default=0)
    return {"longest task over 50 ms": longest, "reruns": seen["runs"], "drawn": seen["drawings"]}


def over_the_map(page: "Page") -> dict[str, float]:
    """Move the pointer diagonally over the lower triangle of the map."""
    box = page.locator(MAP).bounding_box()
    parts = (np.arange(MOVES) + 0.5) / MOVES
    points = [
        (box["x"] + 0.9 * part * box["width"], box["y"] + part * box["height"]) for part in parts
    ]
    return moves(page, points, "bench.hovered()")


def over_the_text(page: "Page") -> dict[str, float]:
    """Move the pointer over the characters of the text, from the first to the last."""
    page.get_by_role("tab", name="On the text").click()
    cells = page.locator(".strip .cell")
    cells.nth(CHARACTERS - 1).wait_for()
    page.wait_for_selector(SETTLED)
    cells.nth(CHARACTERS - 1).scroll_into_view_if_needed()
    boxes = cells.evaluate_all(
        "cells => cells.map(c => c.getBoundingClientRect()).map(b => [b.x + b.width / 2, b.y + 8])"
    )
    chosen = np.linspace(0, CHARACTERS - 1, MOVES).round().astype(int)
    return moves(page, [boxes[at] for at in chosen], "bench.stripText()")


def memory(server: Server, browser: "Browser", texts: Texts, idle: int) -> dict[str, int]:
    """MiB of the server above idle, with all visitors connected and after they have left."""
    with ExitStack() as there:
        pages = [there.enter_context(visit(browser)) for _ in range(VISITORS)]
        for page in pages:
            open_page(page, server.port, texts.next())
        for _ in range(TEXTS - 1):
            for page in pages:
                send(page, texts.next())
        present = server.mib() - idle
    return {"with the visitors there": present, "when they have left": server.mib() - idle}


def measure() -> dict[str, object]:
    """Measure the page and return the record."""
    checkpoint, texts = load(ROOT / "assets" / "checkpoint"), Texts()
    with served() as server, relayed(server.port) as wire, chromium() as browser:
        with visit(browser) as page:
            fetched = Fetched(page)
            sent = counter(wire, fetched)
            open_page(page, wire.port, texts.next())
            page.wait_for_timeout(1000)
            first, idle = sent(), server.mib()
            taken = action_times(page, checkpoint, texts, sent)
            moved = {"map": over_the_map(page), "text": over_the_text(page)}
        above = memory(server, browser, texts, idle)
    return {
        "command": "python tests/benchmarks/pages.py",
        "machine": machine("torch", "streamlit", "plotly"),
        "checkpoint": checkpoint.weights_sha256,
        "rounds": ROUNDS,
        "milliseconds, medians": {
            name: round(statistics.median(taken[name]), 1)
            for name in ("forward pass", "empty rerun", "head", "new text")
        },
        "bytes": {
            "first view": first,
            "each further head, median": round(statistics.median(taken["head bytes"])),
            "each further head, most": max(taken["head bytes"]),
        },
        f"{MOVES} pointer moves": moved,
        "MiB": {"idle": idle, **above},
    }


def counter(wire: Wire, fetched: Fetched) -> Callable[[], int]:
    return lambda: wire.websocket_bytes + fetched.bytes


def reached(record: dict) -> list[float]:
    """The measured value for each entry of GOALS."""
    taken, sent = record["milliseconds, medians"], record["bytes"]
    moved, above = record[f"{MOVES} pointer moves"], record["MiB"]
    return [
        taken["head"] / taken["empty rerun"],
        taken["new text"] / (taken["forward pass"] + taken["empty rerun"]),
        moved["text"]["longest task over 50 ms"],
        moved["map"]["longest task over 50 ms"],
        sum(of["reruns"] + of["drawn"] for of in moved.values()),
        sent["first view"] / 1000,
        sent["each further head, most"] / 1000,
        above["with the visitors there"],
    ]


def table(record: dict) -> str:
    """The README's table of a record."""
    return goals_table("the Attention page at 256 characters", GOALS, reached(record), record)


if __name__ == "__main__":
    run(RECORD, measure, table)

"""Time per character of this engine, full recomputation, and other libraries with the same weights.

Run: pip install -r requirements-bench.txt && python tests/benchmarks/decode.py
Print the README's table from the record: python tests/benchmarks/decode.py --table

All of them use the same weights, at batch size 1. A position in the window is measured over STEPS
characters. The time for the prompt and for the WARM characters before them is not counted. Past
the window, all characters from one slide to the next are measured, and the time to read the window
again is counted. Our decoders sample each character; the other libraries take the most likely one,
which is less work. Each round measures every contender once, and the best time of each is kept, so
that other load on the machine has little effect. The record is assets/benchmarks/decode.json.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from math import inf
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

import others  # noqa: E402
from record import machine, machine_line, options, read_record, write_record  # noqa: E402
from timing import FLOAT32, INT8, Best, Contender  # noqa: E402

from microgpt.checkpoint import Checkpoint, load  # noqa: E402
from microgpt.engine import KEPT, Decoder, TorchBackend, compiled  # noqa: E402
from microgpt.engine.numpy_backend import NumpyBackend  # noqa: E402
from microgpt.generate import generate  # noqa: E402
from microgpt.sampling import SamplingConfig  # noqa: E402

RECORD = ROOT / "assets" / "benchmarks" / "decode.json"
# STEPS characters are measured after WARM others, because the first ones run with cold caches.
STEPS, WARM = 32, 15
FULL, PAST = "255", "past the window"
# Prompt length for each column. One character is drawn from the prompt, then WARM and STEPS follow.
PLACES = {"1": 1, "128": 128 - WARM, FULL: 255 - STEPS - WARM, PAST: 257}
PACKAGES = ("torch", "numpy", *others.PACKAGES)
RECOMPUTED, CACHED, ENGINE = "full recomputation", "PyTorch model, cached", "engine"


class Recomputing(Decoder):
    """Recompute the whole text for every character, as the original does."""

    def prefill(self, ids):
        self._ids = list(ids)
        return super().prefill(self._ids)

    def step(self, token):
        return self.prefill([*self._ids, token])


def ours(checkpoint: Checkpoint, make: Callable[[], Decoder], exact: bool = False) -> Contender:
    """Make a contender from a decoder of ours; it samples the characters too."""
    best, config = Best(), SamplingConfig(exact=exact)

    def contender(ids: list[int]) -> float:
        window, count, before = checkpoint.config.block_size, STEPS, 1 + WARM
        if len(ids) > window:  # from one slide, at the second character, to the next
            count, before = (STEPS if exact else window - int(KEPT * window) + 1), 1
        total = before + count
        stream = generate(make(), checkpoint.tokenizer, ids, total, config)
        for _ in islice(stream, before):
            pass
        started = time.perf_counter()
        for _ in stream:
            pass
        return best.of(len(ids), time.perf_counter() - started) / count

    return contender


def contenders(checkpoint: Checkpoint, folder: Path) -> dict[str, Contender]:
    """Everything that is installed here, by its name in the table."""
    model = checkpoint.model
    found = {
        RECOMPUTED: ours(checkpoint, lambda: Recomputing(model), exact=True),
        CACHED: ours(checkpoint, lambda: Decoder(model, TorchBackend(model))),
    }
    backends = [NumpyBackend(model)]
    library = compiled.load_library(half=True)
    if library is not None:
        sizes = [size for size in compiled.TEAM_SIZES if size <= torch.get_num_threads()]
        for team in [None, *(compiled.shared_team(library, size) for size in sizes)]:
            backends.append(compiled.CompiledBackend(model, library, True, team))
    for backend in backends:
        name = f"{ENGINE}: {backend.name}, float32"
        found[name] = ours(checkpoint, lambda backend=backend: Decoder(model, backend))
    found.update(others.contenders(model, folder, STEPS, 1 + WARM))
    return found


def measure(checkpoint: Checkpoint, rounds: int) -> Iterator[dict[str, dict[str, float]]]:
    """Yield milliseconds per character, by contender and position, after each round."""
    opening = checkpoint.tokenizer.encode("\n")
    decoder = Decoder(checkpoint.model)
    stream = generate(
        decoder, checkpoint.tokenizer, opening, max(PLACES.values()), SamplingConfig()
    )
    text = opening + [character.token for character in stream]
    taken: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        found = contenders(checkpoint, Path(folder))
        for _ in range(rounds):
            for name, contender in found.items():
                row = taken.setdefault(name, {})
                for place, length in PLACES.items():
                    # The other libraries have no positions past the window.
                    if place != PAST or not others.is_other(name):
                        row[place] = round(1000 * contender(text[:length]), 3)
            yield taken


def fastest(taken: dict[str, dict[str, float]], place: str, *parts: str) -> float | None:
    """The shortest time at a position among the contenders whose name has all these parts."""
    times = [
        row[place]
        for name, row in taken.items()
        if place in row and all(part in name for part in parts)
    ]
    return min(times, default=None)


def goals(taken: dict[str, dict[str, float]]) -> list[tuple[str, float, float]]:
    """Rows of (name, goal, speed-up of the engine), for what was measured.

    The speed-up is that at a full window, or the smallest of all positions if the name says so.
    """

    def speed_up(place: str, *parts: str) -> float | None:
        theirs = fastest(taken, place, *parts)
        return theirs and theirs / fastest(taken, place, ENGINE)

    rows = [
        (RECOMPUTED, 40, speed_up(FULL, RECOMPUTED)),
        ("transformers, cached", 4, speed_up(FULL, others.TRANSFORMERS)),
    ]
    measured = []
    for name in others.RUNTIMES:
        measured.append(speed_up(FULL, name))
        places = [speed_up(place, name, FLOAT32) for place in PLACES]
        smallest = min(filter(None, places), default=None)
        rows.append((f"{name}, {FLOAT32}, at every position", 1, smallest))
    smallest = min(filter(None, measured), default=None)
    rows.append(("the fastest of these, int8 included (stretch goal)", 2, smallest))
    return [row for row in rows if row[2]]


def int8_sentence(taken: dict[str, dict[str, float]]) -> str:
    """Say at which positions the int8 of a library is faster than the engine in float32."""
    wins = []
    for name in others.RUNTIMES:
        int8 = {place: fastest(taken, place, name, INT8) for place in PLACES}
        places = [place for place in PLACES if (int8[place] or inf) < fastest(taken, place, ENGINE)]
        if places:
            wins.append(f"{name} (at {', '.join(places)})")
    return f"With int8 weights, these are faster than the engine: {', '.join(wins) or 'none'}."


def table(record: dict) -> str:
    """The README's tables of a record: milliseconds per character, goals, and the machine."""
    taken = record["milliseconds a character"]
    best = fastest(taken, FULL)
    titles = ["milliseconds per character, at position", *PLACES]
    titles += [f"characters/s at {FULL}", f"ratio to the fastest at {FULL}"]
    lines = [f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|"]
    for name, row in taken.items():
        cells = [f"{row[place]:.2f}" if place in row else "" for place in PLACES]
        cells += [f"{1000 / row[FULL]:,.0f}", f"{row[FULL] / best:.1f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    over = "speed-up of the engine, at a full window unless stated, over"
    lines += ["", f"| {over} | goal | measured | |", "| --- | --- | --- | --- |"]
    for what, wanted, measured in goals(taken):
        verdict = "met" if measured >= wanted else "missed"
        lines.append(f"| {what} | {wanted} × | {measured:.1f} × | {verdict} |")
    lines += ["", int8_sentence(taken), "", machine_line(record["machine"])]
    return "\n".join(lines)


def main() -> None:
    parser = options(RECORD)
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "assets" / "checkpoint")
    parser.add_argument("--rounds", type=int, default=12)
    args = parser.parse_args()
    if not args.table:
        checkpoint = load(args.checkpoint)
        for done, taken in enumerate(measure(checkpoint, args.rounds), start=1):
            record = {
                "command": "python tests/benchmarks/decode.py",
                "machine": machine(*PACKAGES),
                "checkpoint": checkpoint.weights_sha256,
                "rounds": done,
                "milliseconds a character": taken,
            }
            write_record(record, args.out)
    print(table(read_record(args.out)))


if __name__ == "__main__":
    main()

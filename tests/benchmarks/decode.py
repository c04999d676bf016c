"""What a character costs: this engine beside recomputation, transformers and CTranslate2.

Run: pip install -r requirements-bench.txt && python tests/benchmarks/decode.py
Print the README's table from the record: python tests/benchmarks/decode.py --table

All write with the same weights, at batch size 1. A place in the window is measured over STEPS
characters, without the reading of what stands before and WARM others; past the window over all
the characters from one slide to the next, reading included. Ours draw each character; transformers
and CTranslate2 take the likeliest, which is less work. Rounds go through all contenders in turn,
and the best time of each counts, so that what else the machine did weighs little.
Written to assets/benchmarks/decode.json.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

import others  # noqa: E402
from record import machine, options, read_record, told, write_record  # noqa: E402

from microgpt.checkpoint import Checkpoint, load  # noqa: E402
from microgpt.engine import Decoder, ReadableStep, compiled  # noqa: E402
from microgpt.engine.numpy_step import NumpyStep  # noqa: E402
from microgpt.generate import KEPT, generate  # noqa: E402
from microgpt.sampling import SamplingConfig  # noqa: E402

RECORD = ROOT / "assets" / "benchmarks" / "decode.json"
# So many characters are measured, after so many others: the first come from cold caches.
STEPS, WARM = 32, 15
FULL, PAST = "255", "past the window"
# How many characters are read before; the first is drawn from them, WARM and STEPS follow.
PLACES = {"1": 1, "128": 128 - WARM, FULL: 255 - STEPS - WARM, PAST: 257}
PACKAGES = ("torch", "numpy", others.TRANSFORMERS, others.CTRANSLATE2.lower())
RECOMPUTED, READABLE, ENGINE = "full recomputation", "readable model, cached", "engine"
# The best time so far, in seconds a character, after some ids; another is taken by every call.
Contender = Callable[[list[int]], float]


class Recomputing(Decoder):
    """The original's way: every character from all before it."""

    def read(self, ids):
        self._ids = list(ids)
        return super().read(self._ids)

    def step(self, token):
        return self.read([*self._ids, token])


def ours(checkpoint: Checkpoint, make: Callable[[], Decoder], exact: bool = False) -> Contender:
    """A contender from a decoder of ours, which also draws the characters."""
    best, config = others.Best(), SamplingConfig(exact=exact)

    def contender(ids: list[int]) -> float:
        window, count, before = checkpoint.config.block_size, STEPS, 1 + WARM
        if len(ids) > window:  # from one slide to the next, which is the second character
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
    """Everything that can be measured here, by the name it has in the table."""
    model = checkpoint.model
    found = {
        RECOMPUTED: ours(checkpoint, lambda: Recomputing(model), exact=True),
        READABLE: ours(checkpoint, lambda: Decoder(model, ReadableStep(model))),
    }
    steps = [NumpyStep(model)]
    library = compiled.load_library(half=True)
    if library is not None:
        sizes = [size for size in compiled.TEAM_SIZES if size <= torch.get_num_threads()]
        for team in [None, *(compiled.shared_team(library, size) for size in sizes)]:
            steps.append(compiled.CompiledStep(model, library, True, team))
            steps[-1].alone_seconds = float("inf")  # the team stays, whatever happens
    for step in steps:
        name = f"{ENGINE}: {step.name}, float32"
        found[name] = ours(checkpoint, lambda step=step: Decoder(model, step))
    found.update(others.contenders(model, folder, STEPS, 1 + WARM))
    return found


def measure(checkpoint: Checkpoint, rounds: int) -> Iterator[dict[str, dict[str, float]]]:
    """Milliseconds a character, by contender and place, after each round."""
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
                    if place != PAST or not others.is_other(name):  # whose positions end there
                        row[place] = round(1000 * contender(text[:length]), 3)
            yield taken


def goals(taken: dict[str, dict[str, float]]) -> list[tuple[str, float, float]]:
    """(what, the ratio wanted, the ratio measured) at a full window, where both were measured."""

    def full(start: str) -> float | None:
        return min(
            (row[FULL] for name, row in taken.items() if name.startswith(start)), default=None
        )

    wanted = [
        ("full recomputation", RECOMPUTED, 40),
        ("transformers, cached", others.TRANSFORMERS, 4),
        ("the fastest CTranslate2", others.CTRANSLATE2, 1),
        ("the fastest CTranslate2, stretch", others.CTRANSLATE2, 2),
    ]
    rows = [(what, times, full(start)) for what, start, times in wanted]
    return [(what, times, slower / full(ENGINE)) for what, times, slower in rows if slower]


def table(record: dict) -> str:
    """What the README says of a record: milliseconds a character, the goals, and the machine."""
    taken = record["milliseconds a character"]
    fastest = min(row[FULL] for row in taken.values())
    titles = ["milliseconds a character, at", *PLACES]
    titles += [f"characters/s at {FULL}", f"times the fastest at {FULL}"]
    lines = [f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|"]
    for name, row in taken.items():
        cells = [f"{row[place]:.2f}" if place in row else "" for place in PLACES]
        cells += [f"{1000 / row[FULL]:,.0f}", f"{row[FULL] / fastest:.1f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| at a full window, the engine against | goal | measured | |"]
    lines.append("| --- | --- | --- | --- |")
    for what, wanted, measured in goals(taken):
        verdict = "met" if measured >= wanted else "missed"
        lines.append(f"| {what} | {wanted} × | {measured:.1f} × | {verdict} |")
    lines += ["", told(record["machine"])]
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

"""Choose the passage of the bundled snapshots.

Run: python -m experiments.choose_passage TEXT

TEXT is the corpus. The candidates are passages of our own, and what the bundled checkpoint writes
after prompts of our own; those with a line of the corpus are left out. They are sorted by the
smallest rise of the loss that ablating the heads of a preset causes. The first one that is also
continued in another way, whichever preset is ablated, is chosen. The figures of the best candidates
are written to record.json, the chosen one first.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch

from experiments.choose_passage import Measured, candidates, measure, with_continuations
from microgpt import atomic
from microgpt.analysis.presets import presets
from microgpt.checkpoint import Checkpoint
from microgpt.data import read_text
from microgpt.hub import load_bundled

RECORD = Path(__file__).with_name("record.json")


def choose(checkpoint: Checkpoint, corpus: str, seeds: int, best: int) -> list[Measured]:
    """The best candidates, at most `best` of them, the chosen one first.

    seeds: the number of texts that the model writes after each prompt.
    """
    assert checkpoint.head_scores is not None
    chosen = [preset for preset in presets(checkpoint.head_scores) if preset.heads]
    found = candidates(checkpoint, corpus, seeds)
    print(f"{len(found)} candidates", flush=True)
    measured = [measure(checkpoint, each, chosen) for each in found]
    measured.sort(key=lambda each: each.least_rise, reverse=True)
    full = [with_continuations(checkpoint, each, chosen) for each in measured[:best]]
    return sorted(full, key=lambda each: not each.always_parts)  # a stable sort


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, metavar="TEXT", help="the corpus, a UTF-8 text file")
    parser.add_argument("--seeds", type=int, default=24, help="texts written after each prompt")
    parser.add_argument("--best", type=int, default=6, help="candidates in the record")
    args = parser.parse_args()
    torch.set_num_threads(1)
    best = choose(load_bundled(), read_text(args.text), args.seeds, args.best)
    values = [asdict(each) for each in best]
    with atomic.replacing(RECORD) as partial:
        partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    for each in best:
        rises = ", ".join(f"{name} {rise:+.3f}" for name, rise in each.rises.items())
        print(f"\n{each.text}\n\nloss {each.loss:.3f}; {rises}; {each.parts}")


if __name__ == "__main__":
    main()

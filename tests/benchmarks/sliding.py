"""Loss when only part of a full window is kept, compared with recomputing the whole window.

Run: python tests/benchmarks/sliding.py --data tinyshakespeare.txt

Exact sliding predicts every character from a full window of T characters. A policy that keeps k/8
of the window predicts from T k/8 characters after a slide, and from one more each time, up to T.
Its loss is the mean over these context lengths. The benchmark draws stretches of the validation
split at random and predicts every character of a stretch with every context length. The standard
error is that of the paired difference over blocks of T characters; neighbouring blocks are not
independent. The record is assets/benchmarks/sliding.json.

Print the README's table from the record: python tests/benchmarks/sliding.py --table
"""

import argparse
import math
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from record import read_record, write_record  # noqa: E402

from microgpt.checkpoint import load  # noqa: E402
from microgpt.data import read_text, split  # noqa: E402
from microgpt.model import GPT  # noqa: E402

RECORD = ROOT / "assets" / "benchmarks" / "sliding.json"
EIGHTHS, BATCH, SEED = 8, 16, 1337


@torch.inference_mode()
def losses(model: GPT, data: Tensor, start: int, count: int) -> Tensor:
    """The loss of `count` characters at each context length from 1 to T, in nats: (T, count).

    The first of these characters is at index start + T of `data`.
    """
    window = model.config.block_size
    by_length = torch.empty(window, count)
    for at in range(start, start + count + window - 1, BATCH):
        starts = range(at, min(at + BATCH, start + count + window - 1))
        rows = torch.stack([data[s : s + window + 1] for s in starts])  # (B, T + 1)
        logits = model(rows[:, :-1])
        loss = F.cross_entropy(logits.transpose(1, 2), rows[:, 1:], reduction="none")  # (B, T)
        for s, row in zip(starts, loss, strict=True):
            length = torch.arange(1, window + 1)
            target = s + length - start - window
            inside = (target >= 0) & (target < count)
            by_length[length[inside] - 1, target[inside]] = row[inside]
    return by_length


def table(record: dict) -> str:
    """The README's table of a record: the loss of each policy, in nats per character."""
    policies = record["policies"]
    shares = [f"{policy['kept'] * EIGHTHS:.0f}/{EIGHTHS}" for policy in policies]
    losses = [f"{p['loss above exact']:+.4f} ± {p['standard error']:.4f}" for p in policies]
    lines = [["part of the window that is kept", *shares], ["---"] * (len(policies) + 1)]
    lines.append(["loss above exact, nats", *losses])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def measure(args: argparse.Namespace) -> None:
    """Measure every policy and write the record."""
    loaded = load(args.checkpoint)
    window = loaded.config.block_size
    val = split(loaded.tokenizer.encode(read_text(args.data)), window).val
    generator = torch.Generator().manual_seed(SEED)
    count = args.blocks * window
    last = len(val) - count - 2 * window
    starts = torch.randint(last, (args.stretches,), generator=generator).tolist()
    started = time.perf_counter()
    every = torch.cat([losses(loaded.model, val, start, count) for start in tqdm(starts)], dim=1)
    policies = []
    for kept in range(1, EIGHTHS):
        lengths = every[kept * window // EIGHTHS - 1 :]  # from T k/8 to T
        blocks = (lengths.mean(dim=0) - every[-1]).view(-1, window).mean(dim=1)
        policies.append(
            {
                "kept": kept / EIGHTHS,
                "loss above exact": round(blocks.mean().item(), 4),
                "standard error": round(blocks.std().item() / math.sqrt(len(blocks)), 4),
            }
        )
    result = {
        "command": "python tests/benchmarks/sliding.py --data tinyshakespeare.txt",
        "checkpoint": loaded.weights_sha256,
        "characters": every.size(1),
        "stretches": args.stretches,
        "seed": SEED,
        "seconds": round(time.perf_counter() - started),
        "exact loss": round(every[-1].mean().item(), 4),
        "policies": policies,
    }
    write_record(result, args.out)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "assets" / "checkpoint")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--data", type=Path)
    asked.add_argument(
        "--table",
        action="store_true",
        help="print the record's table, measure nothing",
    )
    parser.add_argument("--stretches", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=4, help="blocks of T characters per stretch")
    parser.add_argument("--out", type=Path, default=RECORD)
    args = parser.parse_args()
    if not args.table:
        measure(args)
    print(table(read_record(args.out)))


if __name__ == "__main__":
    main()

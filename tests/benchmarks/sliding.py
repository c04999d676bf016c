"""What sliding costs in loss: keeping a part of a full window against recomputing all of it.

Run: python tests/benchmarks/sliding.py --data tinyshakespeare.txt

Exact sliding predicts every character from a whole window, T characters. A policy that keeps k/8 of
it sees k/8 of a window after a slide, then more, up to all of it: every length from T k/8 to T in
turn. So for characters drawn at random from the validation split this measures the loss with a
length drawn from each eighth of the window, and with T; a policy's loss is the mean over the
eighths that it passes through. Written to assets/benchmarks/sliding.json.
"""

import argparse
import json
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

from microgpt.checkpoint import load  # noqa: E402
from microgpt.data import read_text, split  # noqa: E402
from microgpt.model import GPT  # noqa: E402

EIGHTHS, BATCH, SEED = 8, 16, 1337


def losses(model: GPT, data: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """(N,) loss of data[target] given the `length` characters before it, nats."""
    longest = int(lengths.max())
    # A row is filled up on the right, where what it predicts is never looked at.
    rows = (targets - lengths)[:, None] + torch.arange(longest)
    logits = model(data[rows.clamp(max=len(data) - 1)])  # (N, longest, V)
    last = logits[torch.arange(len(targets)), lengths - 1]
    return F.cross_entropy(last, data[targets], reduction="none")


@torch.inference_mode()
def measure(model: GPT, data: Tensor, positions: int) -> tuple[Tensor, Tensor]:
    """Losses (N,) of exact sliding, and (8, N) with a length from each eighth of the window."""
    window = model.config.block_size
    generator = torch.Generator().manual_seed(SEED)
    targets = torch.randint(window, len(data), (positions,), generator=generator)
    step = window // EIGHTHS
    lengths = torch.randint(1, step + 1, (EIGHTHS, positions), generator=generator)
    lengths += step * torch.arange(EIGHTHS)[:, None]
    exact, eighths = [], []
    for at in tqdm(range(0, positions, BATCH), unit="batch"):
        some = slice(at, at + BATCH)
        exact.append(losses(model, data, targets[some], torch.full_like(targets[some], window)))
        each = [losses(model, data, targets[some], row[some]) for row in lengths]
        eighths.append(torch.stack(each))
    return torch.cat(exact).double(), torch.cat(eighths, dim=1).double()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "assets" / "checkpoint")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--positions", type=int, default=2048)
    parser.add_argument("--out", type=Path, default=ROOT / "assets" / "benchmarks" / "sliding.json")
    args = parser.parse_args()
    loaded = load(args.checkpoint)
    ids = loaded.tokenizer.encode(read_text(args.data))
    val = split(ids, loaded.config.block_size).val
    started = time.perf_counter()
    exact, eighths = measure(loaded.model, val, args.positions)
    rows = []
    for kept in range(1, EIGHTHS):
        above = eighths[kept:].mean(dim=0) - exact  # (N,), paired
        rows.append(
            {
                "kept": kept / EIGHTHS,
                "loss above exact": round(above.mean().item(), 4),
                "standard error": round(above.std().item() / math.sqrt(len(above)), 4),
            }
        )
    result = {
        "command": "python tests/benchmarks/sliding.py --data tinyshakespeare.txt",
        "checkpoint": loaded.weights_sha256,
        "positions": args.positions,
        "of": len(val) - loaded.config.block_size,
        "seed": SEED,
        "seconds": round(time.perf_counter() - started),
        "exact loss": round(exact.mean().item(), 4),
        "policies": rows,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

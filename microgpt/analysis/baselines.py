"""What models that know less lose: the feet of the ladder that a checkpoint stands on."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from microgpt.data import Splits, random_batch
from microgpt.errors import MicroGPTError

# The original's first step: an embedding table as the whole model, and how it was trained.
BIGRAM_STEPS, BIGRAM_BATCH_SIZE, BIGRAM_BLOCK_SIZE, BIGRAM_RATE = 5000, 32, 8, 1e-3
_DECIMALS = 4


class BaselinesError(MicroGPTError):
    """A baselines file is malformed."""


@dataclass(frozen=True, eq=False)
class Baselines:
    """Three models fitted to a training split, as log-probabilities, and their loss on the rest.

    Uniform needs no numbers; unigram: (V,), by how often a character stands anywhere; bigram:
    (V, V), row = the character before. val_loss: by name, over every character of the validation
    split but its first, nats per character.
    """

    unigram: Tensor
    bigram: Tensor
    val_loss: dict[str, float]

    def losses(self, ids: Sequence[int]) -> dict[str, float]:
        """Mean loss over a text, nats per character, of uniform, unigram and bigram.

        The first character is only read, so that all three are asked the same. Raises ValueError
        for less than two ids.
        """
        return _losses(torch.tensor(ids), self.unigram, self.bigram)

    def to_json(self) -> str:
        values = {
            "val_loss": {name: round(loss, _DECIMALS) for name, loss in self.val_loss.items()},
            "unigram": _rounded(self.unigram),
            "bigram": [_rounded(row) for row in self.bigram],
        }
        return json.dumps(values) + "\n"

    @classmethod
    def from_json(cls, text: str, vocab_size: int) -> "Baselines":
        """Read what to_json wrote, for so many characters. Raises BaselinesError."""
        try:
            values = json.loads(text)
            unigram = _table(values["unigram"], (vocab_size,))
            bigram = _table(values["bigram"], (vocab_size, vocab_size))
            losses = {name: float(values["val_loss"][name]) for name in NAMES}
            good = all(0 <= loss < math.inf for loss in losses.values())
        except BaselinesError:
            raise
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise BaselinesError("the checkpoint's baselines cannot be read") from error
        if not good:
            raise BaselinesError("the checkpoint's baselines hold numbers that are no losses")
        return cls(unigram, bigram, losses)


NAMES = ("uniform", "unigram", "bigram")


def fit(splits: Splits, vocab_size: int, seed: int) -> Baselines:
    """Fit the three to a training split, the bigram table as the original trained its own.

    The unigram counts each character once more than it stands there, so that none is impossible.
    """
    train, val = splits.train.cpu(), splits.val.cpu()
    counts = torch.bincount(train, minlength=vocab_size) + 1
    unigram = (counts / counts.sum()).log()
    bigram = _fit_bigram(train, vocab_size, seed)
    return Baselines(unigram, bigram, _losses(val, unigram, bigram))


def _fit_bigram(train: Tensor, vocab_size: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    table = nn.Parameter(torch.randn(vocab_size, vocab_size, generator=generator))
    optimizer = torch.optim.AdamW([table], lr=BIGRAM_RATE, fused=True)
    windows = BIGRAM_STEPS * BIGRAM_BATCH_SIZE
    x, y = random_batch(train, windows, BIGRAM_BLOCK_SIZE, generator)  # (windows, T)
    size = BIGRAM_BATCH_SIZE * BIGRAM_BLOCK_SIZE
    for before, after in zip(x.flatten().split(size), y.flatten().split(size), strict=True):
        loss = F.cross_entropy(table[before], after)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return table.detach().log_softmax(dim=-1)


def _losses(ids: Tensor, unigram: Tensor, bigram: Tensor) -> dict[str, float]:
    if len(ids) < 2:
        raise ValueError("a text needs two characters")
    before, after = ids[:-1], ids[1:]
    return {
        "uniform": math.log(len(unigram)),
        "unigram": -unigram[after].mean().item(),
        "bigram": -bigram[before, after].mean().item(),
    }


def _rounded(row: Tensor) -> list[float]:
    return [round(value, _DECIMALS) for value in row.tolist()]


def _table(values: Any, shape: tuple[int, ...]) -> Tensor:
    table = torch.tensor(values, dtype=torch.float32)
    sums = table.exp().sum(dim=-1)
    good = table.shape == shape and bool(((table <= 0) & table.isfinite()).all())
    if not good or bool((sums - 1).abs().max() > 0.01):
        raise BaselinesError("the checkpoint's baselines do not fit its vocabulary")
    return table

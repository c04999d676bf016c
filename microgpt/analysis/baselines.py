"""Baseline losses: uniform, unigram and bigram."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from microgpt.analysis import json_file
from microgpt.data import Splits, random_batch
from microgpt.errors import MicroGPTError
from microgpt.formats import read_json, reading

# How the original trains its bigram model, which is one embedding table.
BIGRAM_STEPS, BIGRAM_BATCH_SIZE, BIGRAM_BLOCK_SIZE, BIGRAM_RATE = 5000, 32, 8, 1e-3
# The largest vocabulary with a bigram baseline. The table for 4,096 characters would have 16.8
# million numbers, in memory, as JSON and in 5,000 steps of training.
MAX_BIGRAM = 1024

# The lowest log-probability in a file: the loss of a long text would overflow with much lower ones.
LEAST = -1e6

# The longest number in a file; to_json writes up to 10 bytes, other programs more digits.
_NUMBER_BYTES = 32


class BaselinesError(MicroGPTError):
    """A baselines file is malformed."""


@dataclass(frozen=True, eq=False)
class Baselines:
    """Baseline models fitted to a training split, and their validation losses.

    unigram: (V,) log-probabilities of the characters. bigram: (V, V) log-probabilities; the row is
    the preceding character, None for a vocabulary of more than MAX_BIGRAM characters. The uniform
    baseline has no parameters. val_loss: by name, over every character of the validation split
    except the first, nats per character.
    """

    unigram: Tensor
    bigram: Tensor | None = None
    val_loss: dict[str, float] = field(default_factory=dict)

    def losses(self, ids: Sequence[int]) -> dict[str, float]:
        """Mean loss over a text, nats per character, of uniform, unigram and perhaps bigram.

        The first character is not predicted, because the bigram needs a preceding one. Raises
        ValueError for fewer than two ids.
        """
        return _losses(torch.tensor(ids), self.unigram, self.bigram)

    def to_json(self) -> str:
        return json_file.to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes, vocab_size: int) -> Self:
        """Read what to_json wrote, for a vocabulary of this size. Raises BaselinesError.

        A file that is longer or has more lists than this vocabulary allows is not parsed.
        """
        data = text.encode() if isinstance(text, str) else text
        rows = vocab_size if vocab_size <= MAX_BIGRAM else 0  # of the bigram's table
        numbers = vocab_size * (rows + 1)
        if len(data) > _NUMBER_BYTES * numbers + 4096 or data.count(b"[") > rows + 64:
            raise BaselinesError(
                "the checkpoint's baselines cannot be read: they are too large for its vocabulary"
            )
        with reading(BaselinesError, "baselines"):
            document = read_json("baselines.json", text)
            found = json_file.read(cls, document)
            losses = document.known(found.val_loss, NAMES, "baseline")
            tables_fit = _fits(found.unigram, (vocab_size,))
            if rows:
                tables_fit = tables_fit and _fits(found.bigram, (rows, rows))
            else:
                tables_fit = tables_fit and found.bigram is None
            names = NAMES if rows else NAMES[:-1]
            losses_fit = all(0 <= losses[name] < math.inf for name in names)
        if not tables_fit:
            raise BaselinesError("the checkpoint's baselines do not fit its vocabulary")
        if not losses_fit:
            raise BaselinesError(
                "the checkpoint's baselines hold a loss that is negative or not finite"
            )
        return replace(found, val_loss=losses)


NAMES = ("uniform", "unigram", "bigram")


def fit(splits: Splits, vocab_size: int, seed: int) -> Baselines:
    """Fit the baselines to a training split; the bigram is trained as in the original.

    The unigram uses add-one smoothing, so that no character has probability 0.
    """
    train, val = splits.train.cpu(), splits.val.cpu()
    counts = torch.bincount(train, minlength=vocab_size) + 1
    unigram = (counts / counts.sum()).log()
    bigram = _fit_bigram(train, vocab_size, seed) if vocab_size <= MAX_BIGRAM else None
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


def _losses(ids: Tensor, unigram: Tensor, bigram: Tensor | None) -> dict[str, float]:
    if len(ids) < 2:
        raise ValueError("the text is too short; give at least two characters")
    before, after = ids[:-1], ids[1:]
    losses = {"uniform": math.log(len(unigram)), "unigram": -unigram[after].mean().item()}
    if bigram is not None:
        losses["bigram"] = -bigram[before, after].mean().item()
    return losses


def _fits(table: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether a table has this shape and holds log-probabilities."""
    if table.shape != shape or not bool(((table <= 0) & (table >= LEAST)).all()):
        return False
    sums = table.exp().sum(dim=-1)
    return bool((sums - 1).abs().max() <= 0.01)

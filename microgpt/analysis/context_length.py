"""Loss by context length: the same characters, predicted from longer and longer contexts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor

from microgpt.analysis import json_file
from microgpt.errors import MicroGPTError
from microgpt.formats import read_json, reading
from microgpt.model import GPT, finite

# How many characters at the end of a text are predicted.
TARGETS = 48
# Limit for the characters in one batch. A checkpoint from outside may have a large window.
_BATCH_CHARACTERS = 1024


class ContextLossesError(MicroGPTError):
    """A file with the losses by context length cannot be used."""


@dataclass(frozen=True, eq=False)
class ContextLosses:
    """The loss of the end of a text by context length.

    ids: of the text, N. lengths: of the contexts, increasing. surprisal: (lengths, targets), nats,
    of the last `targets` ids.
    """

    ids: list[int]
    lengths: list[int]
    surprisal: Tensor

    def to_json(self) -> str:
        return json_file.to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes, vocab_size: int, block_size: int) -> Self:
        """Read what to_json wrote, for a model of these sizes. Raises ContextLossesError."""
        with reading(ContextLossesError, "losses by context length"):
            found = json_file.read(cls, read_json("context_losses.json", text))
            fits = found._fits(vocab_size, block_size)
        if not fits:
            raise ContextLossesError("the checkpoint's losses by context length do not fit it")
        return found

    def _fits(self, vocab_size: int, block_size: int) -> bool:
        lengths, targets = self.lengths, self.surprisal.size(-1)
        return (
            all(0 <= each < vocab_size for each in self.ids)
            and all(before < after for before, after in pairwise([0, *lengths]))
            and self.surprisal.shape == (len(lengths), targets)
            and 0 < targets <= len(self.ids) - lengths[-1]
            and lengths[-1] <= block_size
            and bool(((self.surprisal >= 0) & self.surprisal.isfinite()).all())
        )


def context_losses(
    model: GPT,
    ids: Sequence[int],
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> ContextLosses:
    """Measure the loss of the last TARGETS of N ids, or of all but the first, by context length.

    progress is called with the lengths done and their total. Raises ValueError for fewer than two
    ids.
    """
    if len(ids) < 2:
        raise ValueError("the first character is not predicted, so there must be two")
    targets = min(TARGETS, len(ids) - 1)
    lengths = context_lengths(min(model.config.block_size, len(ids) - targets))
    return ContextLosses(
        list(ids), lengths, surprisal_by_context(model, ids, targets, lengths, progress)
    )


def context_lengths(longest: int) -> list[int]:
    """The powers of 2 below longest, then longest itself."""
    return [*(2**i for i in range(longest.bit_length()) if 2**i < longest), longest]


@torch.inference_mode()
def surprisal_by_context(
    model: GPT,
    ids: Sequence[int],
    targets: int,
    lengths: Sequence[int],
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Tensor:
    """Surprisal, nats, of the last `targets` ids, each predicted from the n ids before it.

    Returns (lengths, targets). lengths: the values of n. Every context starts at position 0.
    progress is called with the lengths done and their total. Raises ValueError if a length exceeds
    the window or the text before the first target.
    """
    data = torch.tensor(ids)
    first = len(data) - targets
    if not 0 < min(lengths) <= max(lengths) <= min(first, model.config.block_size):
        raise ValueError("a context must be at least 1 and fit the window and the text")
    rows = []
    for done, n in enumerate(lengths, start=1):
        contexts = data[first - n : -1].unfold(0, n, 1)  # (targets, n)
        parts = contexts.split(max(1, _BATCH_CHARACTERS // n))
        logits = finite(torch.cat([model(part)[:, -1] for part in parts]))  # (targets, V)
        rows.append(-logits.log_softmax(dim=-1).gather(-1, data[first:, None])[:, 0])
        progress(done, len(lengths))
    return torch.stack(rows)

"""Pairs of texts for an encoder–decoder, each a line: the source, a tab, the target, a newline.

The tab is the first character that the decoder reads, and the newline the last one that it writes.
Padding consists of newlines, which the attention and the loss leave out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from microgpt.config import EncoderDecoderConfig
from microgpt.errors import MicroGPTError
from microgpt.tokenizer import CharTokenizer

START, END = "\t", "\n"
NO_TARGET = -100  # the target of padding; cross-entropy leaves it out by default


class SourceError(MicroGPTError):
    """A text cannot be the source of a translation."""


class PairBatch(NamedTuple):
    """B pairs as ids: what EncoderDecoder.forward reads, and the targets (B, T) of its logits.

    source, source_mask: (B, S). inputs: (B, T), START and the target text; targets are the same
    without START and with END. A padded place has the id of END in source and inputs, and NO_TARGET
    in targets.
    """

    source: Tensor
    inputs: Tensor
    source_mask: Tensor
    targets: Tensor


@dataclass(frozen=True, eq=False)
class Pairs:
    """N pairs as ids, padded as in a PairBatch.

    source: (N, longest source). lengths: (N,), characters of each source. inputs, targets: (N, T).
    """

    source: Tensor
    lengths: Tensor
    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.source)

    @property
    def device(self) -> torch.device:
        return self.source.device

    def to(self, device: torch.device) -> "Pairs":
        return Pairs(*(each.to(device) for each in vars(self).values()))

    def rows(self, at: Tensor | slice) -> "Pairs":
        """Some of the pairs, by their indices or a mask (N,)."""
        return Pairs(*(each[at] for each in vars(self).values()))

    def batch(self) -> PairBatch:
        """All pairs as one batch, whose sources are padded to the longest of them."""
        longest = int(self.lengths.max())
        mask = torch.arange(longest, device=self.device) < self.lengths[:, None]
        source = self.source[:, :longest].long()
        return PairBatch(source, self.inputs.long(), mask, self.targets.long())

    def random_batch(self, batch_size: int, generator: torch.Generator) -> PairBatch:
        """Draw pairs at random, with replacement."""
        at = torch.randint(len(self), (batch_size,), generator=generator)
        return self.rows(at.to(self.device)).batch()


class PairSplits(NamedTuple):
    """The pairs for training, and the held-out pairs for validation."""

    train: Pairs
    val: Pairs


def encode_pairs(tokenizer: CharTokenizer, text: str) -> Pairs:
    """Convert a text of pairs, one a line, to ids. Raises UnknownCharacterError."""
    ids = torch.tensor(tokenizer.encode(text), dtype=torch.int16)
    start, end = (tokenizer.encode(each)[0] for each in (START, END))
    [tabs], [ends] = (torch.nonzero(ids == each, as_tuple=True) for each in (start, end))
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), ends[:-1] + 1])
    return Pairs(
        _padded(ids, starts, tabs - starts, end),
        tabs - starts,
        _padded(ids, tabs, ends - tabs, end),
        _padded(ids, tabs + 1, ends - tabs, NO_TARGET),
    )


def split_pairs(
    tokenizer: CharTokenizer, text: str, is_held_out: Callable[[str], bool]
) -> PairSplits:
    """Split a text of pairs; is_held_out says of each line whether it is for validation only."""
    pairs = encode_pairs(tokenizer, text)
    held_out = torch.tensor([is_held_out(line) for line in text.splitlines()])
    return PairSplits(pairs.rows(~held_out), pairs.rows(held_out))


def too_small(config: EncoderDecoderConfig, pairs: Pairs) -> str | None:
    """Which size of a model is too small for the pairs, a clause; None if it fits them."""
    for size, ids in (("source_size", pairs.source), ("block_size", pairs.inputs)):
        if (longest := ids.size(1)) > (most := getattr(config, size)):
            return f"{size} is {most}, and the pairs need {longest}"
    return None


def _padded(ids: Tensor, starts: Tensor, lengths: Tensor, fill: int) -> Tensor:
    """Pieces of ids that begin at starts (N,), as rows (N, longest) that are filled at the end."""
    offsets = torch.arange(int(lengths.max()))  # (longest,)
    at = (starts[:, None] + offsets).clamp(max=len(ids) - 1)
    return torch.where(offsets < lengths[:, None], ids[at], fill)


def source_ids(tokenizer: CharTokenizer, config: EncoderDecoderConfig, text: str) -> list[int]:
    """The ids of a text that the encoder can read.

    Raises SourceError if the text is empty, too long or more than one line, and
    UnknownCharacterError.
    """
    if not text:
        raise SourceError("the text is empty; write at least one character")
    if START in text or END in text:
        raise SourceError("the text has a tab or a line break; write it on one line, with spaces")
    if len(text) > config.source_size:
        raise SourceError(
            f"the text has {len(text):,} characters, and this model reads at most "
            f"{config.source_size}; shorten it"
        )
    return tokenizer.encode(text)


def source_batch(tokenizer: CharTokenizer, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Sources as ids and their mask, each (B, S)."""
    [end] = tokenizer.encode(END)
    longest = max(map(len, rows))
    source = torch.tensor([[*row, *[end] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[at < len(row) for at in range(longest)] for row in rows])
    return source, mask

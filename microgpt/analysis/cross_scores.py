"""What each cross-attention head of an encoder–decoder does, measured on dates.

A share is the attention from the characters of a field in the output to the characters that tell
the same field in the phrase: the head that copies the year has a large share for the year. An
ablation says which field is no longer translated exactly without the head (Michel et al., 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import NamedTuple, Self

import torch
from torch import Tensor

from microgpt.analysis import json_file
from microgpt.analysis.ablation import head_mask
from microgpt.analysis.exact_match import COUNTED, exact_matches
from microgpt.config import EncoderDecoderConfig
from microgpt.dates import FIELDS, ISO_SPANS, Phrase
from microgpt.encoder_decoder import EncoderDecoder
from microgpt.errors import MicroGPTError
from microgpt.formats import read_json, reading
from microgpt.model import finite
from microgpt.pairs import START, source_batch, source_ids
from microgpt.tokenizer import CharTokenizer

# The lowest share that names a head after a field.
MIN_LABEL_SHARE = 0.3


class CrossScoresError(MicroGPTError):
    """A file with the scores of cross-attention heads is malformed."""


class FieldLabel(NamedTuple):
    """The field that a head attends to most, its share, and that of uniform attention."""

    field: str
    share: float
    uniform: float


@dataclass(frozen=True, eq=False)
class CrossScores:
    """The scores of the cross-attention heads at K steps of a training run, up to its end.

    steps: optimizer updates made, increasing. phrases: the number of held-out phrases measured, the
    same at each step. uniform: (3,), the shares of uniform attention, in the order of FIELDS.
    shares: (K, L, H, 3). exact: (K, 4), the share of exact translations, in the order of COUNTED.
    exact_without: (K, L, H, 4), the same when a single head is ablated.
    """

    steps: list[int]
    phrases: int
    uniform: Tensor
    shares: Tensor
    exact: Tensor
    exact_without: Tensor

    def highest(self, layer: int, head: int, at: int = -1) -> FieldLabel:
        """The field with the largest share of a head; at: the index of a step."""
        shares = self.shares[at, layer, head]
        field = int(shares.argmax())
        return FieldLabel(FIELDS[field], shares[field].item(), self.uniform[field].item())

    def label(self, layer: int, head: int, at: int = -1) -> FieldLabel | None:
        """The label of a head; None if its largest share is below MIN_LABEL_SHARE."""
        best = self.highest(layer, head, at)
        return best if best.share >= MIN_LABEL_SHARE else None

    def breaks(self, layer: int, head: int, at: int = -1) -> tuple[str, float]:
        """The field that suffers most without a head, and by how much its exact matches fall."""
        falls = self.exact[at, 1:] - self.exact_without[at, layer, head, 1:]
        field = int(falls.argmax())
        return FIELDS[field], falls[field].item()

    def to_json(self) -> str:
        return json_file.to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes, config: EncoderDecoderConfig) -> Self:
        """Read what to_json wrote, for a model of this shape. Raises CrossScoresError."""
        with reading(CrossScoresError, "scores of cross-attention heads"):
            found = json_file.read(cls, read_json("cross_scores.json", text))
            fits = found._fits((config.n_layer, config.n_head))
        if not fits:
            raise CrossScoresError("the checkpoint's cross-attention scores do not fit its model")
        return found

    def _fits(self, heads: tuple[int, int]) -> bool:
        count, fields, counted = len(self.steps), len(FIELDS), len(COUNTED)
        tables = {
            (fields,): self.uniform,
            (count, *heads, fields): self.shares,
            (count, counted): self.exact,
            (count, *heads, counted): self.exact_without,
        }
        return (
            count > 0
            and self.steps[0] >= 0
            and all(before < after for before, after in pairwise(self.steps))
            and 0 < self.phrases < 2**63
            and all(table.shape == shape for shape, table in tables.items())
            and all(bool(((table >= 0) & (table <= 1)).all()) for table in tables.values())
        )


@torch.inference_mode()
def field_shares(
    model: EncoderDecoder, tokenizer: CharTokenizer, phrases: Sequence[Phrase]
) -> tuple[Tensor, Tensor]:
    """The shares of each head, (L, H, 3), and those of uniform attention, (3,); see CrossScores.

    The decoder reads the right date. A share is the mean over the output characters of the field
    and over the phrases. The model must be in eval mode.
    """
    rows = [source_ids(tokenizer, model.config, phrase.text) for phrase in phrases]
    source, mask = source_batch(tokenizer, rows)
    target = torch.tensor([tokenizer.encode(START + phrase.iso) for phrase in phrases])
    _, maps = model.forward_with_attention(source, target, mask)
    cross = finite(maps.cross)  # (N, L, H, T, S)
    told = torch.zeros(
        len(phrases), len(FIELDS), source.size(1)
    )  # 1 where a character tells a field
    for i, (phrase, field) in enumerate(product(phrases, FIELDS)):
        span = phrase.spans[field]
        told[i // len(FIELDS), i % len(FIELDS), span.start : span.stop] = 1
    shares = [
        torch.einsum("nlhts,ns->lh", cross[..., span.start : span.stop, :], told[:, i])
        / (len(span) * len(phrases))
        for i, span in enumerate(ISO_SPANS[field] for field in FIELDS)
    ]
    lengths = mask.sum(dim=1, keepdim=True)  # (N, 1)
    return torch.stack(shares, dim=-1), (told.sum(dim=2) / lengths).mean(dim=0)


def cross_scores(
    model: EncoderDecoder, tokenizer: CharTokenizer, phrases: Sequence[Phrase], step: int
) -> CrossScores:
    """Measure the cross-attention heads of a model in eval mode; see CrossScores, with K = 1."""
    config = model.config
    shares, uniform = field_shares(model, tokenizer, phrases)
    without = torch.stack(
        [
            exact_matches(model, tokenizer, phrases, cross_head_mask=head_mask(config, [each]))
            for each in product(range(config.n_layer), range(config.n_head))
        ]
    ).unflatten(0, (config.n_layer, config.n_head))
    exact = exact_matches(model, tokenizer, phrases)
    return CrossScores([step], len(phrases), uniform, shares[None], exact[None], without[None])


def joined(scores: Sequence[CrossScores]) -> CrossScores:
    """The scores of several steps, measured on the same phrases, as one."""
    return replace(
        scores[0],
        steps=[step for each in scores for step in each.steps],
        shares=torch.cat([each.shares for each in scores]),
        exact=torch.cat([each.exact for each in scores]),
        exact_without=torch.cat([each.exact_without for each in scores]),
    )

"""Head scores: what each head of a model attends to, and what ablating it costs."""

import math
from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from microgpt.analysis import json_file
from microgpt.analysis.head_patterns import PATTERNS
from microgpt.errors import MicroGPTError
from microgpt.formats import FormatError, read_json

KINDS = {name: pattern.about for name, pattern in PATTERNS.items()}
# A head is labelled with its highest score if the score is at least this.
BADGE_FROM = 0.3


class HeadScoresError(MicroGPTError):
    """A head scores file is malformed."""


@dataclass(frozen=True)
class Badge:
    """The label of a head: the name of its highest score, a key of KINDS, and the score."""

    kind: str
    score: float


@dataclass(frozen=True, eq=False)
class Ablation:
    """The change of the loss when one head is ablated, for each head.

    positions: the number of predictions in the measurement. loss_change: (L, H), nats per
    character; negative if the model is better without the head.
    """

    positions: int
    loss_change: Tensor

    def costliest(self) -> tuple[int, int]:
        """Layer and head, from 0, of the head whose ablation raises the loss most."""
        return divmod(int(self.loss_change.argmax()), self.loss_change.size(1))


@dataclass(frozen=True, eq=False)
class HeadScores:
    """Head scores over some texts; the first query of each text is left out.

    The dictionaries are keyed by KINDS. positions: the number of queries. scores: (L, H), 0 to 1,
    the mean attention to the keys of the pattern, over the queries that have such keys; a score
    without such queries is left out. counts: the number of these queries. even: the score of a head
    that attends to all keys equally. entropy: (L, H) mean, nats. distance: (L, H) mean, characters
    back. off: the ablation of each head, None if it was not measured.
    """

    positions: int
    counts: dict[str, int]
    even: dict[str, float]
    scores: dict[str, Tensor]
    entropy: Tensor
    distance: Tensor
    off: Ablation | None = None

    def badge(self, layer: int, head: int) -> Badge | None:
        """The label of a head; None if its highest score is below BADGE_FROM."""
        found = [Badge(kind, score[layer, head].item()) for kind, score in self.scores.items()]
        best = max(found, key=lambda badge: badge.score, default=None)
        return best if best is not None and best.score >= BADGE_FROM else None

    def to_json(self) -> str:
        return json_file.to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes, n_layer: int, n_head: int) -> Self:
        """Read what to_json wrote, for a model of this shape. Raises HeadScoresError.

        A score that is missing from the file's counts gets count 0.
        """
        try:
            document = read_json("head_scores.json", text)
            found = json_file.read(cls, document)
            counts, even, scores = (
                document.known(by_kind, KINDS, "head score")
                for by_kind in (found.counts, found.even, found.scores)
            )
            counts = {kind: counts.get(kind, 0) for kind in KINDS}
            made = replace(found, counts=counts, even=even, scores=scores)
            fits = made._fits(n_layer, n_head)
        except FormatError as error:
            raise HeadScoresError(str(error)) from error
        except Exception as error:  # a malformed file may raise anything
            raise HeadScoresError("the checkpoint's head scores cannot be read") from error
        if not fits:
            raise HeadScoresError("the checkpoint's head scores do not fit its model")
        return made

    def _fits(self, n_layer: int, n_head: int) -> bool:
        counts = list(self.counts.values())
        known = {kind for kind, count in self.counts.items() if count}
        shape = (n_layer, n_head)
        return (
            all(type(count) is int for count in (self.positions, *counts))
            and 0 < self.positions < 2**63
            and all(0 <= count <= self.positions for count in counts)
            and set(self.even) == set(self.scores) == known
            and all(0 <= value <= 1 for value in self.even.values())
            and all(_is_within(table, shape, 0, 1) for table in self.scores.values())
            and _is_within(self.entropy, shape, 0, math.inf)
            and _is_within(self.distance, shape, 0, math.inf)
            and (self.off is None or self._fits_ablation(self.off, shape))
        )

    def _fits_ablation(self, off: Ablation, shape: tuple[int, int]) -> bool:
        return (
            type(off.positions) is int
            and 0 < off.positions <= self.positions
            and _is_within(off.loss_change, shape, -math.inf, math.inf)
        )


def _is_within(table: Tensor, shape: tuple[int, int], least: float, most: float) -> bool:
    good = (table >= least) & (table <= most) & table.isfinite()
    return table.shape == shape and bool(good.all())

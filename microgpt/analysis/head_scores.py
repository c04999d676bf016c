"""Head scores: what each head of a model attends to, and what ablating it costs."""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Self

from torch import Tensor

from microgpt.analysis import json_file
from microgpt.analysis.head_patterns import PATTERNS
from microgpt.errors import MicroGPTError
from microgpt.formats import IGNORABLE, Document, read_json, reading

# The lowest score that labels a head.
MIN_LABEL_SCORE = 0.3
# Fields that had another name in format 1.
_RENAMED = {"even": "uniform", "off": "ablation"}


class HeadScoresError(MicroGPTError):
    """A head scores file is malformed."""


@dataclass(frozen=True)
class Label:
    """The highest score of a head, and its name in PATTERNS."""

    name: str
    score: float

    @property
    def is_strong(self) -> bool:
        """Whether the score is high enough to name the head after it."""
        return self.score >= MIN_LABEL_SCORE


@dataclass(frozen=True)
class Peak:
    """The head with the highest value of one score.

    name: of the score, as in PATTERNS. layer, head: from 0. score, uniform: those of this head and
    of a head with uniform attention.
    """

    name: str
    layer: int
    head: int
    score: float
    uniform: float


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

    def _fits(self, positions: int, shape: tuple[int, int]) -> bool:
        return (
            type(self.positions) is int
            and 0 < self.positions <= positions
            and _is_within(self.loss_change, shape, -math.inf, math.inf)
        )


@dataclass(frozen=True, eq=False)
class Repeated:
    """The induction score on random characters that are written twice (Olsson et al., 2022).

    Nothing but induction predicts the second half of such a text. positions: the number of queries,
    all in the second half. uniform: the score of a head with uniform attention. scores: (L, H), 0
    to 1.
    """

    positions: int
    uniform: float
    scores: Tensor

    def _fits(self, shape: tuple[int, int]) -> bool:
        return (
            type(self.positions) is int
            and 0 < self.positions < 2**63
            and 0 <= self.uniform <= 1
            and _is_within(self.scores, shape, 0, 1)
        )


@dataclass(frozen=True, eq=False)
class HeadScores:
    """Head scores over some texts; the first query of each text is left out.

    The dictionaries are keyed by the names in PATTERNS. positions: the number of queries. scores:
    (L, H), 0 to 1, the mean attention to the keys of the pattern, over the queries that have such
    keys; a score without such queries is left out. counts: the number of these queries. uniform:
    the score of a head with uniform attention. entropy: (L, H) mean, nats. distance: (L, H) mean,
    characters back. ablation, repeated: None if they were not measured.
    """

    positions: int
    counts: dict[str, int]
    uniform: dict[str, float]
    scores: dict[str, Tensor]
    entropy: Tensor
    distance: Tensor
    ablation: Ablation | None = None
    repeated: Repeated | None = field(default=None, metadata=IGNORABLE)

    @cached_property
    def values(self) -> dict[str, list[list[float]]]:
        """The scores as numbers, by layer and head: a page reads hundreds of them in each run."""
        return {name: score.tolist() for name, score in self.scores.items()}

    def highest(self, layer: int, head: int) -> Label | None:
        """The highest score of a head; None if none was measured. Variants do not count."""
        labels = [
            Label(name, values[layer][head])
            for name, values in self.values.items()
            if not PATTERNS[name].variant
        ]
        return max(labels, key=lambda label: label.score, default=None)

    def label(self, layer: int, head: int) -> Label | None:
        """The label of a head; None if its highest score is below MIN_LABEL_SCORE."""
        best = self.highest(layer, head)
        return best if best is not None and best.is_strong else None

    def peaks(self) -> list[Peak]:
        """The head with the highest value of each score, the furthest above uniform first."""
        found = []
        for name, table in self.scores.items():
            place = divmod(int(table.argmax()), table.size(1))
            found.append(Peak(name, *place, table[place].item(), self.uniform[name]))
        return sorted(found, key=lambda peak: peak.uniform - peak.score)

    def to_json(self) -> str:
        return json_file.to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes, n_layer: int, n_head: int) -> Self:
        """Read what to_json wrote, for a model of this shape. Raises HeadScoresError.

        A score that is missing from the file's counts gets count 0.
        """
        with reading(HeadScoresError, "head scores"):
            document = read_json("head_scores.json", text)
            values = {_RENAMED.get(name, name): each for name, each in document.values.items()}
            found = json_file.read(cls, replace(document, values=values))._known(document)
            fits = found._fits(n_layer, n_head)
        if not fits:
            raise HeadScoresError("the checkpoint's head scores do not fit its model")
        return found

    def _known(self, document: Document) -> Self:
        """The scores of PATTERNS; a score without a count gets count 0. Raises FormatError."""
        counts, uniform, scores = (
            document.known(by_name, PATTERNS, "head score")
            for by_name in (self.counts, self.uniform, self.scores)
        )
        counts = {name: counts.get(name, 0) for name in PATTERNS}
        return replace(self, counts=counts, uniform=uniform, scores=scores)

    def _fits(self, n_layer: int, n_head: int) -> bool:
        counts = list(self.counts.values())
        known = {name for name, count in self.counts.items() if count}
        shape = (n_layer, n_head)
        return (
            all(type(count) is int for count in (self.positions, *counts))
            and 0 < self.positions < 2**63
            and all(0 <= count <= self.positions for count in counts)
            and set(self.uniform) == set(self.scores) == known
            and all(0 <= value <= 1 for value in self.uniform.values())
            and all(_is_within(table, shape, 0, 1) for table in self.scores.values())
            and _is_within(self.entropy, shape, 0, math.inf)
            and _is_within(self.distance, shape, 0, math.inf)
            and (self.ablation is None or self.ablation._fits(self.positions, shape))
            and (self.repeated is None or self.repeated._fits(shape))
        )


@dataclass(frozen=True, eq=False)
class SnapshotScores:
    """Head scores at S steps of a training run, in the order of the steps.

    steps: the optimizer updates made, increasing. scores: those of the model at each step.
    """

    steps: list[int]
    scores: list[HeadScores]

    def to_json(self) -> str:
        return json_file.to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes, n_layer: int, n_head: int) -> Self:
        """Read what to_json wrote, for a model of this shape. Raises HeadScoresError."""
        with reading(HeadScoresError, "snapshot scores"):
            document = read_json("snapshot_scores.json", text)
            found = json_file.read(cls, document)
            scores = [each._known(document) for each in found.scores]
            fits = (
                0 < len(found.steps) == len(scores)
                and found.steps[0] >= 0
                and all(before < after for before, after in pairwise(found.steps))
                and all(each._fits(n_layer, n_head) for each in scores)
            )
        if not fits:
            raise HeadScoresError("the checkpoint's snapshot scores do not fit its model")
        return cls(found.steps, scores)


def _is_within(table: Tensor, shape: tuple[int, int], low: float, high: float) -> bool:
    good = (table >= low) & (table <= high) & table.isfinite()
    return table.shape == shape and bool(good.all())

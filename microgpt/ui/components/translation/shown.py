"""What the translation component shows: a translation at each step of the training, and choices."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from microgpt.analysis.translation_maps import Kind
from microgpt.ui.charts import style

START_SIGN, END_SIGN, BLANK = "▷", "■", "·"


@dataclass(frozen=True)
class Score:
    """What a head of the cross-attention does, by measurement.

    name: what it looks for. share: of its attention. chance: the share that uniform attention has.
    strong: whether the score names the head; otherwise it is faint.
    """

    name: str
    share: float
    chance: float
    strong: bool


@dataclass(frozen=True)
class Panel:
    """What is written around one of the three maps.

    about: a sentence. queries, keys: what the rows and the columns are. masked: a text in the
    masked part.
    """

    title: str
    about: str
    queries: str
    keys: str
    masked: str = ""


@dataclass(frozen=True)
class Verdict:
    """What is known about an output: a sentence, and whether the output is right."""

    kind: Literal["right", "wrong", "unknown"]
    text: str


@dataclass(frozen=True)
class Step:
    """What the model computes at one step of its training.

    output: what it writes, without the end. target: what the decoder reads, which is the output or
    the right answer. probs: the probability of each of the T characters of the target, with the end
    if there is one. before: the output with all heads, None if all are on.
    changed: the positions at which the output differs from it. maps: for each kind N maps of bytes,
    (N, S, S), (N, T, T) and (N, T, S). scores: that of each head of the cross-attention, None for a
    head without one. does: what each head of self-attention does, a sentence, empty if unknown.
    """

    output: str
    target: str
    probs: Sequence[float]
    before: str | None
    changed: Collection[int]
    verdict: Verdict
    maps: Mapping[Kind, np.ndarray]
    scores: Sequence[Score | None]
    does: Mapping[Kind, Sequence[str]]

    @property
    def written(self) -> list[str]:
        """The signs of the T characters of the output; a sign after its end is a blank."""
        signs = [*style.visible(self.output), END_SIGN]
        return (signs + [BLANK] * len(self.probs))[: len(self.probs)]

    @property
    def rows(self) -> list[str]:
        """The signs of the T characters of the target, which the rows of the maps write."""
        return [*style.visible(self.target), END_SIGN][: len(self.probs)]

    @property
    def read(self) -> list[str]:
        """The signs of the T characters that the decoder reads: the start, and the target."""
        return [START_SIGN, *style.visible(self.target)][: len(self.probs)]


@dataclass(frozen=True)
class Curve:
    """A number at each step of the training, None where it was not measured.

    top: of its axis. texts: the numbers, in words.
    """

    title: str
    values: Sequence[float | None]
    top: float
    texts: Sequence[str]


@dataclass(frozen=True)
class Shown:
    """What the component shows.

    text: S characters. names: those of the N - 1 heads of each kind, layer by layer. layers: how
    many. numbers, done: the numbers of the steps of the training and what the model computes there.
    step: an index. heads: the index of the head whose map is shown, by kind; the last one is the
    mean of all. point: the character that is marked, as `output 3` or `input 1`, empty for none.
    off: the heads of the cross-attention that are off, (layer, head) from 0. without: for each head
    of the cross-attention a sentence about the model without it. effect: a sentence about the heads
    that are off. hint: the sentence that is shown while nothing is pointed at. note: a sentence
    below the slider; back: the label of a button after it, empty for none.
    """

    text: str
    names: Sequence[str]
    layers: int
    panels: Mapping[Kind, Panel]
    numbers: Sequence[int]
    done: Sequence[Step]
    step: int
    heads: Mapping[Kind, int]
    point: str
    off: Collection[tuple[int, int]]
    without: Sequence[str]
    effect: str
    hint: str
    curves: Sequence[Curve]
    note: str
    back: str
    file_name: str

    @property
    def places(self) -> list[list[int]]:
        """Layer and head, from 0, of each name."""
        heads = len(self.names) // self.layers
        return [[layer, head] for layer in range(self.layers) for head in range(heads)]

"""The browser component of a translation: both texts, three attention maps, heads, the training."""

import base64
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import streamlit as st

from microgpt.analysis.translation_maps import KINDS, Kind
from microgpt.ui.charts import style
from microgpt.ui.components import component

_TRANSLATION = component("translation", uses=["picture.js", "playback.js", "playback.css"])
# A separate component, so that only another text or other heads that are off send the maps again.
_MAPS = component("translation", "translation_maps")
# Limit for the maps of all heads at all steps, in bytes.
MAX_BYTES = 4 * 2**20

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

    about: a sentence. asks, answers: the titles of the axes. masked: stands in the masked part.
    """

    title: str
    about: str
    asks: str
    answers: str
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


def translation(
    key: str,
    shown: Shown,
    on_choice: Callable[[str, int | str], None],
    on_switch: Callable[[frozenset[tuple[int, int]]], None],
    on_back: Callable[[], None],
) -> None:
    """Show a translation.

    on_choice: called before the next run with a kind and the index of a head, with `step` and the
    number of a step, or with `point` and the name of a character. on_switch: called with all heads
    that are off. on_back: called when the button `back` was pressed.
    """
    maps = [{kind: packed(step.maps[kind]) for kind in KINDS} for step in shown.done]
    sent = hashlib.sha256()
    for each in maps:
        for kind in KINDS:
            sent.update(each[kind].encode())
    name = sent.hexdigest()[:16]
    most = max(len(step.probs) for step in shown.done)
    points = {"", *point_names("input", len(shown.text)), *point_names("output", most)}
    allowed: dict[str, Collection[int | str]] = {
        "step": shown.numbers,
        "point": points,
        **{kind: range(len(shown.names) + 1) for kind in KINDS},
    }

    def chosen(what: str) -> Callable[[], None]:
        def callback() -> None:
            value = st.session_state[key].get(what)
            if type(value) in (int, str) and value in allowed[what]:  # anyone can send anything
                on_choice(what, value)

        return callback

    def switched() -> None:
        off = st.session_state[key].get("off")
        if isinstance(off, list) and all(each in shown.places for each in off):
            on_switch(frozenset((layer, head) for layer, head in off))

    with st.container(gap=None):
        _TRANSLATION(
            key=key,
            data=_data(shown) | {"maps": name},
            on_encoder_change=chosen("encoder"),
            on_decoder_change=chosen("decoder"),
            on_cross_change=chosen("cross"),
            on_step_change=chosen("step"),
            on_point_change=chosen("point"),
            on_off_change=switched,
            on_back_change=on_back,
        )
        _MAPS(key=f"{key}_maps", data={"name": name, "maps": maps})


def shown_steps(sizes: Sequence[int]) -> list[int]:
    """The indices of the steps whose maps can be sent, at most MAX_BYTES in all.

    sizes: in bytes, of the maps of each step. The steps are evenly spaced, with the first and the
    last; only the last if not even two fit.
    """
    most = MAX_BYTES // max(sizes)
    if len(sizes) > most < 2:
        return [len(sizes) - 1]
    return np.linspace(0, len(sizes) - 1, min(len(sizes), most)).round().astype(int).tolist()


def point_names(text: Literal["input", "output"], count: int) -> list[str]:
    """The names of the characters of a text, as Shown.point has them."""
    return [f"{text} {at}" for at in range(1, count + 1)]


def packed(maps: np.ndarray) -> str:
    """Encode maps of bytes in base64, row by row."""
    return base64.b64encode(np.ascontiguousarray(maps, np.uint8).tobytes()).decode()


def _data(shown: Shown) -> dict[str, Any]:
    return {
        "name": shown.text,
        "input": style.visible(shown.text),
        "written": [_written(step) for step in shown.done],
        "before": [_before(step) for step in shown.done],
        "names": list(shown.names),
        "places": shown.places,
        "without": list(shown.without),
        "panels": {kind: asdict(panel) for kind, panel in shown.panels.items()},
        "steps": list(shown.numbers),
        "step": shown.step,
        "shown": dict(shown.heads),
        "point": shown.point,
        "off": sorted(map(list, shown.off)),
        "effect": shown.effect,
        "hint": shown.hint,
        "curves": [asdict(curve) for curve in shown.curves],
        "note": shown.note,
        "back": shown.back,
        "palette": style.palette(),
        "file": f"{shown.file_name}.svg",
    }


def _written(step: Step) -> dict[str, Any]:
    return {
        "labels": step.written,
        "rows": step.rows,
        "read": step.read,
        "changed": sorted(step.changed),
        "probs": [f"{each:.2f}" for each in step.probs],
        "verdict": asdict(step.verdict),
        "scores": [each and asdict(each) for each in step.scores],
        "does": {kind: list(sentences) for kind, sentences in step.does.items()},
    }


def _before(step: Step) -> list[str] | None:
    """The signs of the output with all heads, and of its end."""
    return None if step.before is None else [*style.visible(step.before), END_SIGN]

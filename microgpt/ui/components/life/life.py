"""The browser component of one head on one text, at every step of the training."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from microgpt.ui.charts import style
from microgpt.ui.components import Badge, badge_data, component, in_base64

_LIFE = component("life", uses=["picture.js", "playback.js", "playback.css"])
# A separate component, so that only another layer or text sends the maps again.
_MAPS = component("life", "life_maps")
# Limit for the maps of a layer at all steps, in bytes.
MAX_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Curve:
    """A number at each of S steps of the training.

    title, unit: of its axis. values, chance: S numbers, None where the number was not measured;
    chance is a number to compare with. kind: `loss`, `score` or `effect`, for the colour; an
    `effect` has a sign. about: a longer title.
    """

    title: str
    unit: str
    values: Sequence[float | None]
    kind: str
    chance: Sequence[float | None] | None = None
    about: str = ""


@dataclass(frozen=True)
class AblationByStep:
    """The surprisal of a text with and without some heads, at each of S steps of the training.

    heads: their names, a phrase. surprisal: for each step both surprisals (T - 1,), nats, or None
    where they were not measured. missing: a sentence that says so, shown at these steps.
    """

    heads: str
    surprisal: Sequence[tuple[np.ndarray, np.ndarray] | None]
    missing: str = ""


@dataclass(frozen=True)
class Shown:
    """What the component shows.

    text: T characters. layer, head: from 0. title: the name of the head. about: a sentence about it
    at each step. members: the heads of this layer that belong to the same preset. badges: at each
    step, that of each of the H heads of the layer, None for none. steps: S steps of the training.
    step, query: indices. moving: whether there are maps of every step, and not only of the last
    one; if not, `note` is a sentence in place of the slider, and `back` the label of a button after
    it, empty for none. curves: those that are always shown. scores: by name; score is the name of
    the one shown first. file_name: of a picture, with STEP in place of the step.
    """

    text: str
    layer: int
    head: int
    title: str
    about: Sequence[str]
    members: Sequence[int]
    badges: Sequence[Sequence[Badge | None]]
    steps: Sequence[int]
    step: int
    query: int
    moving: bool
    note: str
    back: str
    curves: Sequence[Curve]
    scores: Mapping[str, Curve]
    score: str | None
    ablation: AblationByStep | None
    file_name: str


def life(
    key: str,
    shown: Shown,
    maps: np.ndarray,
    on_choice: Callable[[str, int], None],
    on_back: Callable[[], None],
) -> None:
    """Show one head on a text, and the curves of its training.

    maps: (S, H, T, T) uint8, or (1, H, T, T) unless moving, the attention of the layer's heads at
    each step, 0 to 255. on_choice: called before the next run with `head`, `query` or `step` and
    the choice: a head or a position from 0, or the number of a step. on_back: called before the
    next run when the button `back` was pressed.
    """
    sent = packed(maps)
    name = hashlib.sha256(sent.encode()).hexdigest()[:16]
    allowed = {"head": range(maps.shape[1]), "query": range(len(shown.text)), "step": shown.steps}

    def chosen(what: str) -> Callable[[], None]:
        def callback() -> None:
            value = st.session_state[key].get(what)
            if type(value) is int and value in allowed[what]:  # anyone can send anything
                on_choice(what, value)

        return callback

    with st.container(gap=None):
        _LIFE(
            key=key,
            data=_data(shown, maps.shape[1]) | {"maps": name},
            on_head_change=chosen("head"),
            on_query_change=chosen("query"),
            on_step_change=chosen("step"),
            on_back_change=on_back,
        )
        _MAPS(key=f"{key}_maps", data={"name": name, "maps": sent})


def packed(maps: np.ndarray) -> str:
    """Encode the lower triangles of maps (…, T, T) of bytes in base64, row by row."""
    rows, columns = np.tril_indices(maps.shape[-1])
    return in_base64(maps[..., rows, columns], "u1")


def shown_steps(count: int, heads: int, positions: int) -> list[int]:
    """The indices of the snapshots whose maps of one layer can be sent, at most MAX_BYTES in all.

    They are evenly spaced, with the first and the last; only the last if not even two fit.
    """
    most = MAX_BYTES // (heads * positions * (positions + 1) // 2)
    if count > most < 2:
        return [count - 1]
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()


def _data(shown: Shown, heads: int) -> dict[str, Any]:
    text = shown.text
    return {
        "labels": style.visible(text),
        "lines": [at for at, char in enumerate(text) if char == "\n"],
        "spaces": [at for at, char in enumerate(text) if char.isspace()],
        "palette": style.palette(),
        "heads": heads,
        "layer": shown.layer,
        "head": shown.head,
        "title": shown.title,
        "about": list(shown.about),
        "members": list(shown.members),
        "badges": badge_data(shown.badges),
        "steps": list(shown.steps),
        "step": shown.step,
        "query": shown.query,
        "moving": shown.moving,
        "note": shown.note,
        "back": shown.back,
        "curves": [_curve(each) for each in shown.curves],
        "scores": {name: _curve(each) for name, each in shown.scores.items()},
        "score": shown.score,
        "ablation": _ablation(shown.ablation) if shown.ablation else None,
        "file": f"{shown.file_name}.svg",
    }


def _curve(curve: Curve) -> dict[str, Any]:
    return {
        "title": curve.title,
        "unit": curve.unit,
        "values": _rounded(curve.values),
        "className": curve.kind,
        "signed": curve.kind == "effect",
        "zero": curve.kind != "loss",
        "digits": 3 if curve.kind == "loss" else 2,
        "chance": None if curve.chance is None else _rounded(curve.chance),
        "about": curve.about,
    }


def _rounded(values: Sequence[float | None], digits: int = 5) -> list[float | None]:
    return [None if value is None else round(value, digits) for value in values]


def _ablation(ablation: AblationByStep) -> dict[str, Any]:
    steps = [each and [_rounded(of.tolist(), 4) for of in each] for each in ablation.surprisal]
    return {"heads": ablation.heads, "steps": steps, "missing": ablation.missing}

"""The browser component of a translation: both texts, three attention maps, heads, the training."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import streamlit as st

from microgpt.analysis.translation_maps import KINDS
from microgpt.ui.charts import style
from microgpt.ui.components import component, in_base64
from microgpt.ui.components.translation.shown import END_SIGN, Shown, Step

_TRANSLATION = component("translation", uses=["picture.js", "playback.js", "playback.css"])
# A separate component, so that only another text or other heads that are off send the maps again.
_MAPS = component("translation", "translation_maps")
# Limit for the maps of all heads at all steps, in bytes.
MAX_BYTES = 4 * 2**20


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
    maps = [{kind: in_base64(step.maps[kind], "u1") for kind in KINDS} for step in shown.done]
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

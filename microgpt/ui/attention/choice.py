"""Which map the tabs show: one head, the mean of a layer, or the mean of all heads."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.ui.attention.controls import VIEW
from microgpt.ui.controls import CONTROL_WIDTH, Control, control, is_count

MEAN = "mean"


def _is_place(value: object) -> bool:
    return value == MEAN or is_count(value)


LAYER = control("layer", _is_place, saved=VIEW)
HEAD = control("head", _is_place, saved=VIEW)
_OPENED_ON = "head that the page opened on"


@dataclass(frozen=True)
class Choice:
    """A layer and a head, from 0; None stands for the mean over all of them."""

    layer: int | None
    head: int | None

    def heads(self, config: GPTConfig) -> list[tuple[int, int]]:
        """Layer and head, from 0, of every head that the mean is taken over."""
        layers = range(config.n_layer) if self.layer is None else [self.layer]
        heads = range(config.n_head) if self.head is None else [self.head]
        return [(layer, head) for layer in layers for head in heads]

    def fits(self, config: GPTConfig) -> bool:
        """Whether a model of this config has the layer and the head."""
        return (self.layer or 0) < config.n_layer and (self.head or 0) < config.n_head

    @property
    def title(self) -> str:
        if self.layer is None:
            return "Mean of all heads"
        if self.head is None:
            return f"Mean of layer {self.layer + 1}"
        return f"Layer {self.layer + 1}, head {self.head + 1}"

    @property
    def named(self) -> dict[str, int | str]:
        """The layer and the head, from 1, by the column names of a file."""
        places = {"layer": self.layer, "head": self.head}
        return {name: MEAN if at is None else at + 1 for name, at in places.items()}

    @property
    def file_name(self) -> str:
        """The name of a file of this map, without the extension."""
        return "microgpt-" + self.title.lower().replace(",", "").replace(" ", "-")


def head_choice(checkpoint: Checkpoint) -> Choice:
    """Show the title of one map and the controls that choose it, and return the choice."""
    config, opening = checkpoint.config, opening_head(checkpoint)
    _follow(dict(zip((LAYER.key, HEAD.key), opening, strict=True)))
    title, row = st.empty(), st.container(horizontal=True)
    with row:
        layer = _place("Layer", LAYER, config.n_layer, opening[0])
        if layer == MEAN:  # heads with the same number in different layers are unrelated
            st.session_state[HEAD.key] = MEAN
        head = _place("Head", HEAD, config.n_head, opening[1], disabled=layer == MEAN)
    choice = Choice(*(None if place == MEAN else place - 1 for place in (layer, head)))
    title.subheader(choice.title, anchor=False)
    return choice


def choose(choice: Choice) -> None:
    """Set the controls to a choice. For a callback."""
    for each, place in ((LAYER, choice.layer), (HEAD, choice.head)):
        st.session_state[each.key] = MEAN if place is None else place + 1


def keep_place() -> None:
    """Keep the layer and head when another checkpoint is loaded. For a callback.

    A choice from a file, like one from a link, holds before and after its checkpoint is loaded.
    """
    st.session_state[_OPENED_ON] = {}


def opening_head(checkpoint: Checkpoint) -> tuple[int, int]:
    """Layer and head, from 1, shown first: the head whose ablation raises the loss most."""
    scores = checkpoint.head_scores
    if scores is None or scores.ablation is None:
        return 1, 1
    layer, head = scores.ablation.costliest()
    return layer + 1, head + 1


def _follow(opening: dict[str, int]) -> None:
    """Show another checkpoint's opening head, unless a link or the visitor chose a head."""
    linked = st.query_params
    opened_on = st.session_state.setdefault(
        _OPENED_ON, {key: place for key, place in opening.items() if key not in linked}
    )
    present = {key: st.session_state.get(key, place) for key, place in opened_on.items()}
    st.session_state[_OPENED_ON] = {key: opening[key] for key in opened_on}
    if present == opened_on:
        for key in opened_on.keys() & st.session_state.keys():
            st.session_state[key] = opening[key]


def _place(name: str, of: Control, most: int, opening: int, disabled: bool = False) -> Any:
    places = [*range(1, most + 1), MEAN]
    if st.session_state.get(of.key, MEAN) not in places:  # chosen for a larger checkpoint
        st.session_state[of.key] = most
    return st.selectbox(
        name,
        places,
        opening - 1,
        **of.bound,
        width=CONTROL_WIDTH,
        disabled=disabled,
    )

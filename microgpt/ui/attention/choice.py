"""Which map the page's tabs show: that of a head, or the mean of a layer's heads or of all."""

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
    """A layer and a head, from 0; None is all of them, of which the mean is shown."""

    layer: int | None
    head: int | None

    def heads(self, config: GPTConfig) -> list[tuple[int, int]]:
        """Layer and head, from 0, of those whose mean it is; of a head, itself alone."""
        layers = range(config.n_layer) if self.layer is None else [self.layer]
        heads = range(config.n_head) if self.head is None else [self.head]
        return [(layer, head) for layer in layers for head in heads]

    def fits(self, config: GPTConfig) -> bool:
        """Whether a model has such a head or layer."""
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
        """Its layer and head, from 1, as a file's columns name them."""
        places = {"layer": self.layer, "head": self.head}
        return {name: MEAN if at is None else at + 1 for name, at in places.items()}

    @property
    def file_name(self) -> str:
        """What a file of it is called, without the ending."""
        return "microgpt-" + self.title.lower().replace(",", "").replace(" ", "-")


def head_choice(checkpoint: Checkpoint) -> Choice:
    """The controls that choose one map, below its title."""
    config, opening = checkpoint.config, opening_head(checkpoint)
    _follow(dict(zip((LAYER.key, HEAD.key), opening, strict=True)))
    title, row = st.empty(), st.container(horizontal=True)
    with row:
        layer = _place("Layer", LAYER, config.n_layer, opening[0])
        if layer == MEAN:  # the same head of every layer has nothing in common but its number
            st.session_state[HEAD.key] = MEAN
        head = _place("Head", HEAD, config.n_head, opening[1], disabled=layer == MEAN)
    choice = Choice(*(None if place == MEAN else place - 1 for place in (layer, head)))
    title.subheader(choice.title, anchor=False)
    return choice


def choose(choice: Choice) -> None:
    """Put a choice into the controls, from a callback."""
    for each, place in ((LAYER, choice.layer), (HEAD, choice.head)):
        st.session_state[each.key] = MEAN if place is None else place + 1


def keep_place() -> None:
    """Let the layer and head in the controls stay when another checkpoint comes, from a callback.

    What a file asked for counts as what a link does, before its checkpoint is there and after.
    """
    st.session_state[_OPENED_ON] = {}


def opening_head(checkpoint: Checkpoint) -> tuple[int, int]:
    """Layer and head, from 1, to open a checkpoint on: the one that its loss gains most without."""
    scores = checkpoint.head_scores
    if scores is None or scores.off is None:
        return 1, 1
    layer, head = scores.off.costliest()
    return layer + 1, head + 1


def _follow(opening: dict[str, int]) -> None:
    """Open another checkpoint on its own head, where neither a link nor the visitor chose one."""
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

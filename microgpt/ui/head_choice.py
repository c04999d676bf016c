"""Which map the tabs show: of one head or of a mean, and at which step of the training."""

from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.ui.allowed import OneOf
from microgpt.ui.attention.controls import VIEW
from microgpt.ui.controls import Control, control, is_count

MEAN = "mean"


def _is_number_or_mean(value: object) -> bool:
    return value == MEAN or is_count(value)


def _is_step(value: object) -> bool:
    return type(value) is int and value >= 0


LAYER = control("layer", _is_number_or_mean, saved=VIEW)
HEAD = control("head", _is_number_or_mean, saved=VIEW)
STEP = control("step", _is_step, saved=VIEW)
_NARROW = 72  # in pixels, for a select without a mean
_WIDTH = 96  # in pixels; the title and the colours fit in the same row on a laptop
# The session's key of the default values that the visitor has not replaced.
_DEFAULTS = "layer and head by default"


@dataclass(frozen=True)
class Choice:
    """A layer and a head, from 0; None stands for the mean over all of them."""

    layer: int | None
    head: int | None

    def heads(self, config: GPTConfig) -> list[tuple[int, int]]:
        """Layer and head, from 0, of every head that the map averages."""
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
    def columns(self) -> dict[str, int | str]:
        """The layer and the head, from 1, by the names of their columns in a file."""
        numbers = {"layer": self.layer, "head": self.head}
        return {name: MEAN if number is None else number + 1 for name, number in numbers.items()}

    @property
    def file_name(self) -> str:
        """The name of a file that holds this map, without the extension."""
        return "microgpt-" + self.title.lower().replace(",", "").replace(" ", "-")


def head_choice(checkpoint: Checkpoint) -> tuple[Choice, DeltaGenerator]:
    """Show the title of one map and the controls that choose it, in a row.

    Return the choice and the row, which has space for another control.
    """
    config, default = checkpoint.config, default_head(checkpoint)
    _follow_defaults(dict(zip((LAYER.key, HEAD.key), default, strict=True)))
    row = st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        title = st.container(width="content")
        layer = _select("Layer", LAYER, config.n_layer, default[0])
        if layer == MEAN:  # heads with the same number in different layers are unrelated
            st.session_state[HEAD.key] = MEAN
        head = _select("Head", HEAD, config.n_head, default[1], disabled=layer == MEAN)
    choice = Choice(*(None if number == MEAN else number - 1 for number in (layer, head)))
    title.subheader(choice.title, anchor=False)
    return choice, row


def one_head(checkpoint: Checkpoint) -> Choice:
    """Show the controls of one head, without the means, in the row that is open."""
    config, default = checkpoint.config, default_head(checkpoint)
    _follow_defaults(dict(zip((LAYER.key, HEAD.key), default, strict=True)))
    numbers = []
    # In one container, so that both are in the same row.
    pair = st.container(horizontal=True, vertical_alignment="center", width="content", gap="small")
    for label, of, most, number in zip(
        ("Layer", "Head"), (LAYER, HEAD), (config.n_layer, config.n_head), default, strict=True
    ):
        options = range(1, most + 1)
        with pair:
            st.markdown(label, width="content")
            numbers.append(
                st.selectbox(
                    label,
                    options,
                    number - 1,
                    **of.args(OneOf(options, number)),
                    width=_NARROW,
                    label_visibility="collapsed",
                )
            )
    return Choice(numbers[0] - 1, numbers[1] - 1)


def step_control(steps: list[int]) -> int:
    """Show the control of the training step and return its index in the steps."""
    if len(steps) == 1:
        return 0
    STEP.follow_default(steps[-1])
    step = st.select_slider("Training step", steps, steps[-1], **STEP.args(OneOf(steps, steps[-1])))
    return steps.index(step)


def choose(choice: Choice) -> None:
    """Set the controls to a choice. For a callback."""
    for each, number in ((LAYER, choice.layer), (HEAD, choice.head)):
        each.choose(MEAN if number is None else number + 1)


def keep_head() -> None:
    """Keep the layer and the head when another checkpoint is loaded. For a callback.

    A saved view sets them, perhaps before the checkpoint that it names is loaded.
    """
    st.session_state[_DEFAULTS] = {}


def use_old_link(layer: str, head: str) -> None:
    """Take the layer and the head from parameters of a link that an earlier version made."""
    for key, of in ((layer, LAYER), (head, HEAD)):
        if (number := st.query_params.pop(key, "")).isdecimal():
            st.session_state.setdefault(of.key, int(number))
            keep_head()


def default_head(checkpoint: Checkpoint) -> tuple[int, int]:
    """Layer and head, from 1, shown first.

    It is the head whose ablation raises the loss most, or, if that was not measured, the one whose
    map changed most during the training.
    """
    scores, snapshots = checkpoint.head_scores, checkpoint.snapshots
    if scores is not None and scores.ablation is not None:
        layer, head = scores.ablation.costliest()
    elif snapshots is not None:
        layer, head = snapshots.most_changed_head()
    else:
        layer, head = 0, 0
    return layer + 1, head + 1


def _follow_defaults(default: dict[str, int]) -> None:
    """Set the controls to this checkpoint's defaults, unless a link or the visitor set one.

    Control.follow_default would treat the layer and the head one by one, and show a head that is
    neither the default nor the visitor's.
    """
    previous = st.session_state.setdefault(
        _DEFAULTS, {key: number for key, number in default.items() if key not in st.query_params}
    )
    current = {key: st.session_state.get(key, number) for key, number in previous.items()}
    st.session_state[_DEFAULTS] = {key: default[key] for key in previous}
    if current == previous:
        for key in previous.keys() & st.session_state.keys():
            st.session_state[key] = default[key]


def _select(label: str, of: Control, most: int, default: int, disabled: bool = False) -> Any:
    options = [*range(1, most + 1), MEAN]
    return st.selectbox(
        label,
        options,
        default - 1,
        **of.args(OneOf(options, default)),
        width=_WIDTH,
        disabled=disabled,
    )

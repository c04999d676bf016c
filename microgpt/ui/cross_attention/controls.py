"""Controls of the Cross-attention page: the date, the head of each map, the heads that are off."""

from collections.abc import Collection, Mapping, Sequence

import streamlit as st

from microgpt.analysis.translation_maps import KINDS, Kind
from microgpt.config import EncoderDecoderConfig
from microgpt.ui.allowed import OneOf, SomeOf
from microgpt.ui.components.translation.translation import point_names
from microgpt.ui.controls import Control, control

DATE = control("date", url="short")
HEADS: Mapping[Kind, Control] = {kind: control(f"{kind}_head") for kind in KINDS}
OFF = control("cross_off")
CHARACTER = control("character")
STEP = control("cross_step")
# The controls whose values are kept while another page is open.
CONTROLS = [DATE, *HEADS.values(), OFF, CHARACTER, STEP]
MEAN = "mean"
NO_CHARACTER = "none"
_TITLES = {"encoder": "Encoder", "decoder": "Decoder", "cross": "Cross-attention"}

Heads = frozenset[tuple[int, int]]  # pairs of layer and head, from 0


def head_name(layer: int, head: int) -> str:
    """The name of a head, whose layer and number count from 0."""
    return f"L{layer + 1} H{head + 1}"


def head_names(config: EncoderDecoderConfig) -> list[str]:
    """The names of all heads of one kind, layer by layer."""
    layers, heads = range(config.n_layer), range(config.n_head)
    return [head_name(layer, head) for layer in layers for head in heads]


def head_controls(config: EncoderDecoderConfig, defaults: Mapping[Kind, str]) -> dict[Kind, int]:
    """Show the choice of the head of each map; return its index, the last one for the mean."""
    options = [*head_names(config), MEAN]
    chosen: dict[Kind, int] = {}
    with st.container(horizontal=True):
        for kind in KINDS:
            default = defaults[kind]
            HEADS[kind].follow_default(default)
            name = st.selectbox(
                f"{_TITLES[kind]} head",
                options,
                options.index(default),
                width=150,
                **HEADS[kind].args(OneOf(options, default)),
            )
            chosen[kind] = options.index(name)
    return chosen


def choose_head(kind: Kind, index: int, config: EncoderDecoderConfig) -> None:
    """Choose the head of a map by its index. For a callback."""
    HEADS[kind].choose([*head_names(config), MEAN][index])


def off_control(config: EncoderDecoderConfig) -> Heads:
    """Show the choice of the heads of the cross-attention that are off; return them."""
    names = head_names(config)
    off = st.pills(
        "Cross-attention heads that are off",
        names,
        selection_mode="multi",
        **OFF.args(SomeOf(names)),
    )
    return frozenset(divmod(names.index(name), config.n_head) for name in off)


def switch_off(heads: Collection[tuple[int, int]]) -> None:
    """Switch off these heads of the cross-attention and no others. For a callback."""
    OFF.choose([head_name(*each) for each in sorted(heads)])


def character_control(text: str, written: Sequence[str]) -> str:
    """Show the choice of the marked character; return its name, empty for none.

    written: the characters of the output, with the end.
    """
    names = [*point_names("output", len(written)), *point_names("input", len(text))]
    options = [NO_CHARACTER, *names]
    chosen = st.selectbox(
        "Marked character", options, width=150, **CHARACTER.args(OneOf(options, NO_CHARACTER))
    )
    return "" if chosen == NO_CHARACTER else str(chosen)


def step_control(steps: Sequence[int]) -> int:
    """Show the control of the training step and return its index in the steps."""
    if len(steps) == 1:
        return 0
    last = steps[-1]
    STEP.follow_default(last)
    step = st.select_slider("Training step", steps, last, **STEP.args(OneOf(steps, last)))
    return steps.index(step)

"""The controls of the life of a head: the preset, the head, the switch, the text."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.analysis.attention import sharpest_query
from microgpt.analysis.head_patterns import PATTERNS, pattern_keys
from microgpt.analysis.presets import REPEATED, Preset, presets
from microgpt.checkpoint import Checkpoint
from microgpt.ui.allowed import Numbers, OneOf
from microgpt.ui.attention.controls import PASSAGE, QUERY, TEXT, VIEW, shown_part
from microgpt.ui.attention.switchboard import switch_off, switched_off
from microgpt.ui.controls import control, is_text
from microgpt.ui.head_choice import HEAD, LAYER, Choice, choose, one_head
from microgpt.ui.text_input import default_text, text_control

_PRESET = control("preset", is_text, saved=VIEW)
_SWITCH = control("head_switch", url=False)
_ONE_HEAD = "One head"  # the last option of the presets, for a head of the visitor's choice
BACK = "Back to the checkpoint’s passage"  # the label of a button
# The session's key of the heads that were shown last.
_LAST = "heads of the life of a head"

Heads = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Chosen:
    """What the visitor chose.

    choice: the head that is shown. preset: None for a single head of the visitor's choice. heads:
    those that the switch switches, (layer, head) from 0. text: None if it cannot be shown. own:
    whether it is another text than the passage of the snapshots. switch: the place of the switch.
    """

    choice: Choice
    preset: Preset | None
    heads: Heads
    text: str | None
    own: bool
    switch: DeltaGenerator


def controls(checkpoint: Checkpoint) -> Chosen:
    """Show the controls in one row, with a place for the switch."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        pills = st.container(width="content")
        _open_linked_preset(checkpoint)
        choice = one_head(checkpoint)
        with pills:
            preset = _preset(checkpoint, choice)
        heads = _heads(checkpoint, preset, choice)
        switch = st.container(width="content")
        with st.popover("Another text"):
            text = text_control(
                checkpoint,
                "Text",
                passage(checkpoint) or default_text(checkpoint, PASSAGE),
                TEXT,
                when_empty="The text is empty. Type at least one character.",
            )
            own = text != passage(checkpoint)
            if text and own:
                text = shown_part(checkpoint, text)
    return Chosen(choice, preset, heads, text, own, switch)


def passage(checkpoint: Checkpoint) -> str | None:
    """The passage of the snapshots; None if there is none that the model can read."""
    found = checkpoint.snapshots
    if found is None or not 1 < len(found.passage) <= checkpoint.config.block_size:
        return None
    return checkpoint.tokenizer.decode(found.passage)


def use_passage(checkpoint: Checkpoint) -> None:
    """Show the button that goes back to the passage, if there is one."""
    if (text := passage(checkpoint)) is not None:
        st.button(BACK, icon=":material/undo:", on_click=TEXT.choose, args=(text,))


def _preset(checkpoint: Checkpoint, choice: Choice) -> Preset | None:
    """Show the presets; return the chosen one, None for a single head of the visitor's choice."""
    if checkpoint.head_scores is None:
        return None
    found = {preset.name: preset for preset in presets(checkpoint.head_scores)}
    place = (choice.layer, choice.head)
    alone = (name for name, preset in found.items() if [*preset.heads] == [place])
    default = next(alone, _ONE_HEAD)
    _PRESET.follow_default(default)
    # A preset ends when the visitor chooses a head that does not belong to it.
    current, last = found.get(_PRESET.value or ""), st.session_state.get(_LAST, (place,))
    if current and place not in (current.heads or last):
        st.session_state[_PRESET.key] = default
    names = [*found, _ONE_HEAD]
    name = st.pills(
        "Preset",
        names,
        default=default,
        required=True,
        label_visibility="collapsed",
        on_change=lambda: _use(found.get(_PRESET.value)),
        **_PRESET.args(OneOf(names, default)),
    )
    return found.get(name)


def _open_linked_preset(checkpoint: Checkpoint) -> None:
    """Choose the head of the preset of a link that names no head. Call it before one_head()."""
    name, scores = st.query_params.get(_PRESET.key), checkpoint.head_scores
    if (
        scores is None
        or _PRESET.keys
        or any(each.keys or each.key in st.query_params for each in (LAYER, HEAD))
    ):
        return
    _use(next((each for each in presets(scores) if each.name == name), None))


def _use(preset: Preset | None) -> None:
    """Choose the first head of a preset. For a callback."""
    if preset is not None and preset.heads:
        choose(Choice(*preset.heads[0]))


def _heads(checkpoint: Checkpoint, preset: Preset | None, choice: Choice) -> Heads:
    """The heads that the switch switches. If the last ones were off, these are off instead."""
    heads = preset.heads if preset and preset.heads else tuple(choice.heads(checkpoint.config))
    last = st.session_state.get(_LAST, heads)
    if heads != last and switched_off(checkpoint.config) == frozenset(last):
        switch_off(checkpoint.config, heads)
    st.session_state[_LAST] = heads
    return heads


def head_switch(checkpoint: Checkpoint, heads: Heads, ablated: frozenset[tuple[int, int]]) -> bool:
    """Show the switch of these heads; return whether they are off.

    ablated: all heads that are off.
    """

    def switched() -> None:
        rest = ablated - set(heads)
        switch_off(checkpoint.config, rest | set(heads) if _SWITCH.value == off else rest)

    name = "Head" if len(heads) == 1 else f"{len(heads)} heads"
    on, off = f"{name} on", f"{name} off"
    st.session_state[_SWITCH.key] = off if ablated.issuperset(heads) else on
    return (
        st.segmented_control(
            "Switch the head on or off",
            [on, off],
            required=True,
            label_visibility="collapsed",
            on_change=switched,
            **_SWITCH.widget_args,
        )
        == off
    )


def query_control(checkpoint: Checkpoint, chosen: Chosen, text: str, weights: np.ndarray) -> int:
    """Show the control of the query position and return it, from 0.

    weights: the map (T, T) of the head in the finished model.
    """
    if len(text) == 1:
        return 0
    default = _shown_first(checkpoint, chosen, text, weights)
    QUERY.follow_default(default + 1)
    allowed = Numbers(1, len(text), default + 1)
    return st.slider("Position", 1, len(text), default + 1, **QUERY.args(allowed)) - 1


def _shown_first(checkpoint: Checkpoint, chosen: Chosen, text: str, weights: np.ndarray) -> int:
    """A query, from 0, at which the head does what its preset or its label says."""
    scores = checkpoint.head_scores
    label = scores.label(*chosen.heads[0]) if scores else None
    name = chosen.preset.score if chosen.preset and chosen.preset.score else label and label.name
    name = "induction" if name == REPEATED else name
    if name not in PATTERNS:
        return sharpest_query(weights)
    return sharpest_query(weights, pattern_keys(name, text, checkpoint.tokenizer))

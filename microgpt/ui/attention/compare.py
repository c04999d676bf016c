"""The Compare tab: the same head on two texts or in two checkpoints, side by side."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.checkpoint import Checkpoint, CheckpointError
from microgpt.hub import BUNDLED
from microgpt.ui.allowed import OneOf
from microgpt.ui.attention.controls import (
    PASSAGE,
    VIEW,
    attention_text,
    image_control,
    scale_control,
    scale_hint,
)
from microgpt.ui.attention.large_map import chosen_map
from microgpt.ui.attention.steps import COMPARE, steps_from
from microgpt.ui.cache.checkpoints import bundled_of
from microgpt.ui.controls import Control, control, is_count, is_text
from microgpt.ui.glossary import caption
from microgpt.ui.head_choice import Choice, head_choice
from microgpt.ui.next_steps import next_steps
from microgpt.ui.repo import named_checkpoint, repo_control
from microgpt.ui.text import counted, escaped

_OTHER_TEXT = control("other_text", is_text, url="short", saved=VIEW)
_CHECKPOINT = control("compared_checkpoint", is_text, saved=VIEW)
_REPO = control("compared_repo", is_text, saved=VIEW)
_QUERY_LEFT = control("query_left", is_count, saved=VIEW)
_QUERY_RIGHT = control("query_right", is_count, saved=VIEW)

OTHER = "GARDENER:\nThe snow is on the leaves by the gate"
_THIS, _BUNDLED, _HUB = "this checkpoint", "the bundled checkpoint", "one from the Hub"


def compare_view(checkpoint: Checkpoint) -> None:
    """Show one head on two texts or in two checkpoints, side by side."""
    left_text, right_text = st.columns(2)
    choice, row = head_choice(checkpoint)
    with row:
        scale = scale_control()
    other = _other(checkpoint, row)
    with left_text:
        text = attention_text(checkpoint)
    with right_text:
        other_text = attention_text(other, "Another text", OTHER, _OTHER_TEXT, at=len(PASSAGE))
    scale_hint(max(text or "", other_text or "", key=len), scale)
    left, right = st.columns(2)
    with left:
        _map(checkpoint, text, choice, scale, "left", _QUERY_LEFT)
    with right:
        _map(other, other_text, choice, scale, "right", _QUERY_RIGHT)
    image_control()
    caption(
        "Both maps use the same colours. If two checkpoints were trained separately, heads with "
        "the same number have different tasks."
    )
    if text:
        next_steps(*steps_from(COMPARE, checkpoint, text, choice))


def _other(checkpoint: Checkpoint, row: DeltaGenerator) -> Checkpoint:
    """Show the choice of the right-hand checkpoint in the row and return the checkpoint."""
    names = [_THIS, _BUNDLED, _HUB]
    if checkpoint.origin and checkpoint.origin.name == str(BUNDLED[0]):
        names.remove(_BUNDLED)
    with row:
        kind = OneOf(names, _THIS)
        name = st.selectbox("Checkpoint on the right", names, **_CHECKPOINT.args(kind))
        repo = repo_control("Repo on the Hub", _REPO) if name == _HUB else ""
    if name == _BUNDLED:
        try:
            checkpoint = bundled_of(Checkpoint) or checkpoint
        except CheckpointError:
            st.error("The bundled checkpoint cannot be used. Both sides show this checkpoint.")
    other, _ = named_checkpoint("compared", repo, fallback=checkpoint)
    if not isinstance(other, Checkpoint):
        st.error(
            "The repo holds an encoder–decoder, which the page Cross-attention shows. Both sides "
            "show this checkpoint."
        )
        return checkpoint
    return other


def _map(
    checkpoint: Checkpoint,
    text: str | None,
    choice: Choice,
    scale: str,
    side: str,
    query: Control,
) -> None:
    if not text:
        return
    config = checkpoint.config
    if not choice.fits(config):
        st.info(
            f"This checkpoint has only {counted(config.n_layer, 'layer')} of "
            f"{counted(config.n_head, 'head')}. Choose one of these heads."
        )
        return
    about = escaped(checkpoint.title)
    chosen_map(checkpoint, text, choice, scale, about=about, side=side, query=query)

"""Which scores the page's tabs show: over the validation split, or over the text."""

import streamlit as st

from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache

_SPLIT, _TEXT = "validation split", "this text"


def shown_scores(checkpoint: Checkpoint, text: str, label: str) -> HeadScores | None:
    """The scores that the visitor asked for; None where a text is too short to have any.

    A checkpoint without scores of its own has nothing to ask for: they are the text's.
    """
    kept = checkpoint.head_scores
    if kept is not None and _asked_for(label) == _SPLIT:
        return kept
    return cache.text_scores(checkpoint, text) if len(text) > 1 else None


def _asked_for(label: str) -> str:
    return st.segmented_control(
        label,
        [_SPLIT, _TEXT],
        default=_SPLIT,
        required=True,
        key="scores_from",
        bind="query-params",
    )

"""The controls that the Attention page's tabs share: the text, and how its maps are read."""

import numpy as np
import streamlit as st

from microgpt.analysis.attention import most_positions
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.charts.map_files import row_table
from microgpt.ui.controls import Control, control, is_count, is_text
from microgpt.ui.text import plain
from microgpt.ui.text_input import text_control

VIEW = "attention"  # the page's saved view
TAB = control("attention_view", is_text, saved=VIEW)
TEXT = control("text", is_text, url="short", saved=VIEW)
QUERY = control("query", is_count, saved=VIEW)
_SCALE = control("scale", is_text, saved=VIEW)
_SCORES_FROM = control("scores_from", is_text, saved=VIEW)
_IMAGE = control("image", url=False)

PASSAGE = "CAPTAIN:\nThe sea is calm, the sea is"
# From so many characters on, most shares are too small to be seen on the linear scale.
_LONG = 64
_SPLIT, _THIS_TEXT = "validation split", "this text"
_IMAGES = ["SVG", "PNG"]


def attended_text(
    checkpoint: Checkpoint, label: str = "Text", default: str = PASSAGE, of: Control = TEXT
) -> str | None:
    """A text to look at, of which the page shows as much as its maps may take; None without one.

    Unless told otherwise it is the one that all of the page's tabs look at.
    """
    text = text_control(
        checkpoint,
        label,
        default,
        of,
        when_empty="There is no text to look at; type at least one character.",
    )
    if not text:
        return None
    most = most_positions(checkpoint.config)
    if most < min(len(text), checkpoint.config.block_size):
        st.caption(f"This model's maps are large; the page shows the last {most} characters.")
    return text[-most:]


def query_control(text: str, query: Control = QUERY) -> int:
    """The position that looks, from 0; at first the last one, which decides the next character."""
    last = len(text)
    if last == 1:
        return 0
    query.follow_default(last)
    query.keep_within(last)
    return (
        st.slider(
            "Query position",
            1,
            last,
            last,
            **query.bound,
            help="Which character looks. The last one is what the model decides the next on.",
        )
        - 1
    )


def scale_control(text: str) -> str:
    """Which of attention_charts.MAP_SCALES the maps over a text are drawn with."""
    scale = st.segmented_control(
        "Colours",
        list(attention_charts.MAP_SCALES),
        default="linear",
        required=True,
        **_SCALE.bound,
        help="linear compares heads; log brings out what is faint; row shows each row at its "
        "full strength.",
    )
    if scale == "linear" and len(text) >= _LONG:
        st.caption("Over many characters each share is small: log or row shows more.")
    return scale


def row_as_table(weights: np.ndarray, text: str, query: Control = QUERY) -> None:
    """One row of a map in numbers, for those who cannot see it."""
    with st.expander("One row as a table"):
        at = query_control(text, query)
        # The table's own menu, which is there after a tap, would lie on the slider; so short a
        # sentence leaves it room.
        named = plain(style.positions(text)[at])
        st.caption(f"What {named} looks at, most first.")
        table = row_table(weights, text, at)
        share = st.column_config.NumberColumn(format="%.3g")
        st.dataframe(table, hide_index=True, column_config={"attention (share)": share})


def shown_scores(checkpoint: Checkpoint, text: str, label: str) -> HeadScores | None:
    """The scores that the visitor asked for; None where a text is too short to have any.

    A checkpoint without scores of its own has nothing to ask for: they are the text's.
    """
    kept = checkpoint.head_scores
    if kept is not None and _scores_control(label) == _SPLIT:
        return kept
    return cache.text_scores(checkpoint, text) if len(text) > 1 else None


def _scores_control(label: str) -> str:
    return st.segmented_control(
        label, [_SPLIT, _THIS_TEXT], default=_SPLIT, required=True, **_SCORES_FROM.bound
    )


def image_format() -> str:
    """What a chart's own menu saves, as image_control says, which comes after it."""
    return (_IMAGE.value or _IMAGES[0]).lower()


def image_control() -> None:
    """What the menus of a tab's charts save; once a tab."""
    st.segmented_control(
        "Image in the chart's menu",
        _IMAGES,
        default=_IMAGES[0],
        required=True,
        **_IMAGE.bound,
        help="The camera in the chart's own menu saves the figure in this format.",
    )

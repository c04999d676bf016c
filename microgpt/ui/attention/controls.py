"""Controls that the tabs of the Attention page share: the text, the query, the colours."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.analysis.attention import max_positions
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint import Checkpoint
from microgpt.ui.allowed import Numbers, OneOf
from microgpt.ui.cache.attention import text_scores
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.charts.map_files import row_table
from microgpt.ui.controls import Control, control, is_count, is_text
from microgpt.ui.glossary import caption
from microgpt.ui.text import markdown
from microgpt.ui.text_input import default_text, text_control

VIEW = "attention"  # the page's saved view
TAB = control("attention_view", is_text, saved=VIEW)
TEXT = control("text", is_text, url="short", saved=VIEW)
QUERY = control("query", is_count, saved=VIEW)
_SCALE = control("scale", is_text, saved=VIEW)
_SCORES_FROM = control("scores_from", is_text, saved=VIEW)
_IMAGE = control("image", url=False)

# The start of the passage of the bundled snapshots.
PASSAGE = "GARDENER:\nThe frost is on the roses by the wall"
# In a text of this length, most attention weights are too small to see on the linear scale.
_LONG_TEXT = 64
_SPLIT, _THIS_TEXT = "validation split", "this text"
_IMAGES = ["SVG", "PNG"]


def attention_text(
    checkpoint: Checkpoint,
    label: str = "Text",
    example: str = PASSAGE,
    of: Control = TEXT,
    at: int = 0,
) -> str | None:
    """Show the text area of a text and return the part that the maps show; None if there is none.

    By default it is the text that all tabs of the page share. example, at: as in default_text.
    """
    text = text_control(
        checkpoint,
        label,
        default_text(checkpoint, example, at),
        of,
        when_empty="The text is empty. Type at least one character.",
    )
    return shown_part(checkpoint, text) if text else None


def shown_part(checkpoint: Checkpoint, text: str) -> str:
    """The end of a text, as long as the maps can show; a caption says if they limit it."""
    most = max_positions(checkpoint.config)
    if most < min(len(text), checkpoint.config.block_size):
        caption(
            f"The maps of this model are large, so the page shows only the last {most} characters."
        )
    return text[-most:]


def text_and_controls(checkpoint: Checkpoint) -> tuple[str | None, DeltaGenerator]:
    """Show the text area of the page's text; return the text and the space beside the text area.

    The text is the part that the maps show; None if there is none.
    """
    left, right = st.columns([5, 11])
    with left:
        text = attention_text(checkpoint)
    return text, right


def tall_chart(figure: go.Figure, key: str, file_name: str, alt: str) -> None:
    """Show a chart that fills the window below the controls.

    assets/layout.css sets its height, by the key. file_name: the name of the image that its menu
    saves.
    """
    with st.container(key=f"tall_{key}"):
        st.plotly_chart(
            figure,
            height="stretch",
            key=f"chart_{key}",
            config=style.menu(file_name, image_format()),
            alt=alt,
        )


def query_control(
    text: str,
    query: Control = QUERY,
    label: str = "Position",
    about: str = "The character whose attention is shown. At the last position, the model predicts "
    "the next character of the text.",
) -> int:
    """Show the control of the query position and return it, from 0; by default the last one."""
    last = len(text)
    if last == 1:
        return 0
    query.follow_default(last)
    return (
        st.slider(
            label,
            1,
            last,
            last,
            **query.args(Numbers(1, last, last)),
            help=about,
        )
        - 1
    )


def scale_control() -> str:
    """Show the control of the colour scale and return one of attention_charts.MAP_SCALES."""
    return st.segmented_control(
        "Colours",
        list(attention_charts.MAP_SCALES),
        default="linear",
        required=True,
        **_SCALE.args(OneOf(list(attention_charts.MAP_SCALES), "linear")),
        help="linear: the same colours for every head. log: small weights become visible. row: the "
        "largest weight of each row has the brightest colour.",
    )


def scale_hint(text: str, scale: str) -> None:
    """Show a hint if most weights of the text's maps are invisible on the scale."""
    if scale == "linear" and len(text) >= _LONG_TEXT:
        caption("In a long text most attention weights are small. Try the colours log or row.")


def row_as_table(weights: np.ndarray, text: str, query: Control = QUERY) -> None:
    """Show one row of a map (T, T) as a table, for readers who cannot see the map."""
    key = f"table of {query.key}"
    with st.expander("One row as a table", key=key, on_change="rerun") as expander:
        at = query_control(text, query)
        if not expander.open:
            return
        # The caption keeps the table's menu, which a tap opens, away from the slider.
        name = markdown(style.position_names(text)[at])
        caption(f"What {name} attends to, the largest weight first.")
        table = row_table(weights, text, at)
        share = st.column_config.NumberColumn(format="%.3g")
        st.dataframe(table, hide_index=True, column_config={"attention (share)": share})


def selected_scores(checkpoint: Checkpoint, text: str, label: str) -> HeadScores | None:
    """Show the choice between two sources of head scores and return the scores.

    The sources are the checkpoint and the text; a checkpoint without scores leaves no choice.
    Return None if the text is too short to measure.
    """
    scores = checkpoint.head_scores
    if scores is not None and _scores_control(label) == _SPLIT:
        return scores
    return text_scores(checkpoint, text) if len(text) > 1 else None


def _scores_control(label: str) -> str:
    sources = [_SPLIT, _THIS_TEXT]
    allowed = _SCORES_FROM.args(OneOf(sources, _SPLIT))
    return st.segmented_control(label, sources, default=_SPLIT, required=True, **allowed)


def image_format() -> str:
    """The image format in which charts are saved; image_control, below the charts, sets it."""
    return (_IMAGE.value or _IMAGES[0]).lower()


def image_control() -> None:
    """Show the control of the image format; once in each tab."""
    st.segmented_control(
        "Image format",
        _IMAGES,
        default=_IMAGES[0],
        required=True,
        **_IMAGE.widget_args,
        help="The camera button of a chart saves the image in this format.",
    )


def too_short(checkpoint: Checkpoint) -> str:
    """Why one character has no scores, a sentence."""
    if checkpoint.config.block_size == 1:
        return "This model reads one character at a time, which can only attend to itself."
    return "Type at least two characters. The first one can only attend to itself."

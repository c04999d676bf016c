"""The Compare tab: the same head on two texts or in two checkpoints, side by side."""

import streamlit as st

from microgpt.analysis.attention import combined
from microgpt.checkpoint import Checkpoint, CheckpointError
from microgpt.ui import cache
from microgpt.ui.allowed import OneOf
from microgpt.ui.attention.choice import Choice, head_choice
from microgpt.ui.attention.controls import (
    PASSAGE,
    VIEW,
    attention_text,
    image_control,
    image_format,
    row_as_table,
    scale_control,
    scale_hint,
)
from microgpt.ui.attention.map_downloads import map_downloads
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.checkpoints import named_checkpoint, repo_control, title_of
from microgpt.ui.controls import Control, control, is_count, is_text
from microgpt.ui.text import escaped

_OTHER_TEXT = control("other_text", is_text, url="short", saved=VIEW)
_CHECKPOINT = control("compared_checkpoint", is_text, saved=VIEW)
_REPO = control("compared_repo", is_text, saved=VIEW)
_QUERY_LEFT = control("query_left", is_count, saved=VIEW)
_QUERY_RIGHT = control("query_right", is_count, saved=VIEW)

OTHER = "CAPTAIN:\nThe wind is up, the wind is"
_THIS, _BUNDLED, _HUB = "this checkpoint", "the bundled checkpoint", "one from the Hub"


def compare_view(checkpoint: Checkpoint) -> None:
    """Show one head on two texts or in two checkpoints, side by side."""
    left, right = st.columns(2)
    with left:
        choice, _ = head_choice(checkpoint)
    with right:
        other = _other(checkpoint)
    left, right = st.columns(2)
    with left:
        text = attention_text(checkpoint)
    with right:
        other_text = attention_text(other, "Another text", OTHER, _OTHER_TEXT, at=len(PASSAGE))
    scale = scale_control()
    scale_hint(max(text or "", other_text or "", key=len), scale)
    left, right = st.columns(2)
    with left:
        _map(checkpoint, text, choice, scale, "left", _QUERY_LEFT)
    with right:
        _map(other, other_text, choice, scale, "right", _QUERY_RIGHT)
    image_control()
    st.caption(
        "Both maps use the same colours. If two checkpoints were trained separately, heads with "
        "the same number have different tasks."
    )


def _other(checkpoint: Checkpoint) -> Checkpoint:
    """Show the choice of the right-hand checkpoint and return it."""
    names = [_THIS, _BUNDLED, _HUB]
    if checkpoint.origin and checkpoint.origin.kind == "bundled":
        names.remove(_BUNDLED)
    st.subheader("Compared with", anchor=False)
    name = st.selectbox("Checkpoint", names, **_CHECKPOINT.args(OneOf(names, _THIS)))
    if name == _BUNDLED:
        try:
            checkpoint = cache.bundled()
        except CheckpointError:
            st.error("The bundled checkpoint cannot be used. Both sides show this checkpoint.")
    repo = repo_control("Repo on the Hub", _REPO) if name == _HUB else ""
    other, _ = named_checkpoint("compared", repo, fallback=checkpoint)
    assert other is not None  # there is a fallback
    st.caption(escaped(title_of(other)))
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
            f"This checkpoint has only {config.n_layer} layers with {config.n_head} heads each. "
            "Choose one of these heads."
        )
        return
    maps = cache.attention_maps(checkpoint, text).weights
    weights = combined(maps, choice.heads(config), "mean").numpy()
    name = f"{choice.file_name}-{side}"
    figure = attention_charts.attention_map(weights, text, scale)
    st.plotly_chart(
        figure,
        height=640,
        key=f"compared {side}",
        config=style.menu(name, image_format()),
        alt=f"Attention map, {side}: {choice.title}",
    )
    row_as_table(weights, text, query)
    map_downloads(checkpoint, text, choice.title, name, choice.columns, weights, figure)

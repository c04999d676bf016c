"""The same head on two texts, or of two checkpoints, side by side."""

import streamlit as st

from microgpt.attention import most_positions
from microgpt.checkpoint import Checkpoint, CheckpointError
from microgpt.hub import Loaded
from microgpt.ui import cache, charts
from microgpt.ui.attention.maps import attended_text, head_choice
from microgpt.ui.widgets import text_control

OTHER = "CAPTAIN:\nThe wind is up, the wind is"
_THIS, _BUNDLED = "this checkpoint", "the bundled checkpoint"


def compare_view(loaded: Loaded) -> None:
    """All of the tab."""
    checkpoint = loaded.checkpoint
    layer, head = head_choice(checkpoint)
    left, right = st.columns(2)
    with left:
        _map(checkpoint, attended_text(checkpoint), layer, head, "left")
    with right:
        other = _other(loaded)
        if other is None:
            return
        text = text_control(
            other, "Another text", OTHER, "other_text", when_empty="Type at least one character."
        )
        _map(other, text and text[-most_positions(other.config) :], layer, head, "right")
    st.caption(
        "Both maps are on the same scale, from 0 to 1. Heads of two checkpoints have nothing in "
        "common but their place, unless one grew from the other."
    )


def _other(loaded: Loaded) -> Checkpoint | None:
    """The right-hand checkpoint: this one too, or the bundled one where that is another."""
    if loaded.origin.kind == "bundled":
        return loaded.checkpoint
    name = st.selectbox("Of", [_THIS, _BUNDLED], key="compared_checkpoint", bind="query-params")
    if name == _THIS:
        return loaded.checkpoint
    try:
        return cache.bundled().checkpoint
    except CheckpointError:
        st.error("The bundled checkpoint cannot be used; compare texts of this one.")
        return None


def _map(checkpoint: Checkpoint, text: str | None, layer: int, head: int, side: str) -> None:
    if not text:
        return
    config = checkpoint.config
    if layer >= config.n_layer or head >= config.n_head:
        st.info(f"That checkpoint has {config.n_layer} layers of {config.n_head} heads.")
        return
    weights = cache.attention_maps(checkpoint, text).weights[layer, head].numpy()
    st.plotly_chart(
        charts.attention_map(weights, text),
        height=480,
        key=f"compared {side}",
        config=charts.menu(f"microgpt-{side}"),
        alt=f"Attention map, {side}",
    )
    st.download_button(
        "CSV",
        lambda: charts.attention_csv(weights, text),
        f"microgpt-{side}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"compared {side} csv",
    )

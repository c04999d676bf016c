"""The same head on two texts, or of two checkpoints, side by side."""

import streamlit as st

from microgpt.attention import combined, most_positions
from microgpt.checkpoint import Checkpoint, CheckpointError
from microgpt.hub import Loaded
from microgpt.ui import cache, charts, map_files
from microgpt.ui.attention.choice import Choice, head_choice
from microgpt.ui.attention.maps import attended_text
from microgpt.ui.checkpoints import named_checkpoint, repo_control, title_of
from microgpt.ui.text import plain
from microgpt.ui.widgets import text_control

OTHER = "CAPTAIN:\nThe wind is up, the wind is"
_THIS, _BUNDLED, _HUB = "this checkpoint", "the bundled checkpoint", "one from the Hub"


def compare_view(loaded: Loaded) -> None:
    """All of the tab."""
    checkpoint = loaded.checkpoint
    of, against = st.columns(2)
    with of:
        choice = head_choice(checkpoint)
    with against:
        other = _other(loaded).checkpoint
    left, right = st.columns(2)
    with left:
        _map(checkpoint, attended_text(checkpoint), choice, "left")
    with right:
        text = text_control(
            other, "Another text", OTHER, "other_text", when_empty="Type at least one character."
        )
        _map(other, text and text[-most_positions(other.config) :], choice, "right")
    st.caption(
        "Both maps are on the same scale, from 0 to 1. Heads of two checkpoints have nothing in "
        "common but their place, unless one grew from the other."
    )


def _other(loaded: Loaded) -> Loaded:
    """The right-hand checkpoint: this one too, the bundled one, or one from the Hub."""
    names = [_THIS, _BUNDLED, _HUB]
    if loaded.origin.kind == "bundled":
        names.remove(_BUNDLED)
    st.subheader("Against", anchor=False)
    of = st.selectbox("Checkpoint", names, key="compared_checkpoint", bind="query-params")
    if of == _BUNDLED:
        try:
            loaded = cache.bundled()
        except CheckpointError:
            st.error("The bundled checkpoint cannot be used; compare texts of this one.")
    name = repo_control("Repo on the Hub", "compared_repo") if of == _HUB else ""
    other, _ = named_checkpoint("compared", name, fallback=loaded)
    st.caption(plain(title_of(other)))
    return other


def _map(checkpoint: Checkpoint, text: str | None, choice: Choice, side: str) -> None:
    if not text:
        return
    config = checkpoint.config
    if not choice.fits(config):
        st.info(f"That checkpoint has {config.n_layer} layers of {config.n_head} heads.")
        return
    maps = cache.attention_maps(checkpoint, text).weights
    weights = combined(maps, choice.heads(config), "mean").numpy()
    st.plotly_chart(
        charts.attention_map(weights, text),
        height=560,
        key=f"compared {side}",
        config=charts.menu(f"microgpt-{side}"),
        alt=f"Attention map, {side}: {choice.title}",
    )
    st.download_button(
        "CSV",
        lambda: map_files.attention_csv(weights, text),
        f"microgpt-{side}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"compared {side} csv",
    )

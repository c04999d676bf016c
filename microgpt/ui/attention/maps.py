"""The Attention page's first view: every head as a small image, one of them in full."""

from pathlib import Path

import streamlit as st

from microgpt.attention import most_positions
from microgpt.checkpoint import Checkpoint
from microgpt.hub import Loaded
from microgpt.ui import cache, charts
from microgpt.ui.widgets import CONTROL_WIDTH, keep_within, text_control

PASSAGE = "CAPTAIN:\nThe sea is calm, the sea is"
OVERVIEW = st.components.v2.component(
    "microgpt.head_grid",
    js=Path(__file__).with_name("head_grid.js").read_text(encoding="utf-8"),
    css=Path(__file__).with_name("head_grid.css").read_text(encoding="utf-8"),
)


def maps_view(loaded: Loaded) -> None:
    """The tab with every head as a small image, one of them in full."""
    checkpoint = loaded.checkpoint
    text = attended_text(checkpoint)
    if not text:
        return
    maps = cache.attention_maps(checkpoint, text)
    overview, detail = st.columns([2, 3], gap="large")
    with detail:
        layer, head = head_choice(checkpoint)
    with overview:
        st.subheader("All heads", anchor=False)
        st.caption(
            "One row a layer, one column a head, on one scale from 0 to 1. "
            "Choose one; its map follows."
            + (
                " Below a head stands what it mostly looks at, with the share."
                if checkpoint.head_scores
                else ""
            )
        )
        _grid(checkpoint, cache.thumbnails(checkpoint, text), layer, head)
    with detail:
        weights = maps.weights[layer, head].numpy()
        name = f"microgpt-layer-{layer + 1}-head-{head + 1}"
        scale = st.segmented_control(
            "Colours",
            list(charts.MAP_SCALES),
            default="linear",
            required=True,
            key="scale",
            bind="query-params",
            help="linear compares heads; log brings out what is faint; row shows each row at its "
            "full strength.",
        )
        st.plotly_chart(
            charts.attention_map(weights, text, scale),
            height=640,
            config=charts.menu(name),
            alt=f"Attention map of layer {layer + 1}, head {head + 1}",
        )
        st.caption(
            "Read a row from left to right: what the character at its left looked at. "
            "A row sums to 1; a character cannot look at those after it, so they are blank."
        )
        st.download_button(
            "CSV",
            lambda: charts.attention_csv(weights, text),
            f"{name}.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def attended_text(checkpoint: Checkpoint) -> str | None:
    """The text that all of the page's tabs look at; None where there is none to look at."""
    text = text_control(
        checkpoint,
        "Text",
        PASSAGE,
        "text",
        when_empty="There is no text to look at; type at least one character.",
    )
    if not text:
        return None
    most = most_positions(checkpoint.config)
    if most < min(len(text), checkpoint.config.block_size):
        st.caption(f"This model's maps are large; the page shows the last {most} characters.")
    return text[-most:]


def head_choice(checkpoint: Checkpoint) -> tuple[int, int]:
    """The controls that name one head, below its title; layer and head from 0."""
    title, row = st.empty(), st.container(horizontal=True)
    numbers = []
    for name, most in (("Layer", checkpoint.config.n_layer), ("Head", checkpoint.config.n_head)):
        keep_within(name.lower(), most)
        with row:
            numbers.append(
                st.number_input(
                    name,
                    1,
                    most,
                    1,
                    key=name.lower(),
                    bind="query-params",
                    width=CONTROL_WIDTH,
                )
            )
    title.subheader(f"Layer {numbers[0]}, head {numbers[1]}", anchor=False)
    return numbers[0] - 1, numbers[1] - 1


def _badges(checkpoint: Checkpoint) -> list[list[str]]:
    """What each head is called after its scores over the validation split, or nothing."""
    config, scores = checkpoint.config, checkpoint.head_scores
    badges = [
        [scores.badge(layer, head) if scores else None for head in range(config.n_head)]
        for layer in range(config.n_layer)
    ]
    return [[f"{b.kind} {b.score:.2f}" if b else "" for b in row] for row in badges]


def _grid(checkpoint: Checkpoint, thumbnails: list[list[str]], layer: int, head: int) -> None:
    def choose() -> None:
        picked = st.session_state["head_grid"].get("picked")
        if picked:
            st.session_state["layer"], st.session_state["head"] = picked[0] + 1, picked[1] + 1

    OVERVIEW(
        key="head_grid",
        data={
            "images": thumbnails,
            "badges": _badges(checkpoint),
            "layer": layer,
            "head": head,
        },
        on_picked_change=choose,
    )

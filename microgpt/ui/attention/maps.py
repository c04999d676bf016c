"""The Attention page's first view: every head as a small image, one of them in full."""

import streamlit as st

from microgpt.analysis.attention import combined
from microgpt.analysis.head_scores import BADGE_FROM, HeadScores
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.ui import cache
from microgpt.ui.attention.choice import Choice, choose, head_choice
from microgpt.ui.attention.controls import (
    attended_text,
    image_control,
    image_format,
    row_as_table,
    scale_control,
    shown_scores,
)
from microgpt.ui.attention.take_home import take_home
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.components.head_grid.head_grid import head_grid


def maps_view(checkpoint: Checkpoint) -> None:
    """The tab with every head as a small image, one of them in full."""
    text = attended_text(checkpoint)
    if not text:
        return
    overview, detail = st.columns([5, 6], gap="medium")
    with detail:
        choice = head_choice(checkpoint)
        maps = cache.attention_maps(checkpoint, text).weights
        weights = combined(maps, choice.heads(checkpoint.config), "mean").numpy()
        scale = scale_control(text)
        figure = attention_charts.attention_map(weights, text, scale)
        st.plotly_chart(
            figure,
            height=640,
            config=style.menu(choice.file_name, image_format()),
            alt=f"Attention map: {choice.title}",
        )
        st.caption(
            "Read a row from left to right: what the character at its left looked at. "
            "A row sums to 1; a character cannot look at those after it, so they are blank."
        )
        row_as_table(weights, text)
        named = choice.named
        take_home(checkpoint, text, choice.title, choice.file_name, named, weights, figure)
        image_control()
    # The map that was asked for does not wait for all the small ones.
    with overview:
        _overview(checkpoint, text, choice)


def _overview(checkpoint: Checkpoint, text: str, choice: Choice) -> None:
    """Every head and the means, small, and what each head is called."""
    st.subheader("All heads", anchor=False)
    if sentence := _opening_sentence(checkpoint):
        st.caption(sentence)
    scores = shown_scores(checkpoint, text, "Badges from")
    about = (
        "One row a layer, one column a head, on one scale from 0 to 1; at the right the mean of "
        "each layer. Choose one; its map follows. "
    )
    if scores is None:
        about += "A text of two characters or more gives each head a badge."
    else:
        about += (
            "Below a head stands what it mostly looks at, where that takes "
            f"{BADGE_FROM:g} of its attention or more, and the share."
        )
    st.caption(about)
    head_grid(
        "head_grid",
        _badges(checkpoint.config, scores),
        choice.layer,
        choice.head,
        cache.overview(checkpoint, text),
        on_pick=lambda layer, head: choose(Choice(layer, head)),
    )


def _opening_sentence(checkpoint: Checkpoint) -> str | None:
    """Why the page opens on the head that it opens on, where that was measured."""
    scores = checkpoint.head_scores
    if scores is None or scores.off is None:
        return None
    layer, head = scores.off.costliest()
    change = float(scores.off.loss_change[layer, head])
    return (
        f"Opens on layer {layer + 1}, head {head + 1}: switched off, it costs the most loss on "
        f"the validation split, {change:+.2g} nats per character."
    )


def _badges(config: GPTConfig, scores: HeadScores | None) -> list[list[str]]:
    """What each head is called after its scores, or nothing."""
    badges = [
        [scores.badge(layer, head) if scores else None for head in range(config.n_head)]
        for layer in range(config.n_layer)
    ]
    return [[f"{b.kind} {b.score:.2f}" if b else "" for b in row] for row in badges]

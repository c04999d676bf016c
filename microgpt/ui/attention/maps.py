"""The All heads tab: a small map of every head, and one large map."""

import streamlit as st

from microgpt.analysis.head_scores import MIN_LABEL_SCORE, HeadScores
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.ui import cache
from microgpt.ui.attention.choice import Choice, choose, head_choice
from microgpt.ui.attention.controls import (
    image_control,
    scale_control,
    scale_hint,
    selected_scores,
    text_and_controls,
)
from microgpt.ui.attention.large_map import chosen_map
from microgpt.ui.components.head_grid.head_grid import head_grid


def maps_view(checkpoint: Checkpoint) -> None:
    """Show a small map of every head, and one large map."""
    text, controls = text_and_controls(checkpoint)
    if not text:
        return
    with controls:
        choice, row = head_choice(checkpoint)
        with row:
            scale = scale_control()
        scale_hint(text, scale)
    overview, detail = st.columns(2, gap="medium")
    with detail:
        chosen_map(
            checkpoint,
            text,
            choice,
            scale,
            caption="Each row shows how much one character attends to itself and to each earlier "
            "character; the row sums to 1. Later characters are masked, so their cells are blank.",
        )
        image_control()
    # The overview comes last, so that the chosen map does not wait for it.
    with overview:
        _overview(checkpoint, text, choice)


def _overview(checkpoint: Checkpoint, text: str, choice: Choice) -> None:
    """Show small maps of every head and of the means, with a label under each head."""
    grid = st.container()
    st.caption("Each row is a layer and each column a head. Choose a map to see it in full.")
    scores = selected_scores(checkpoint, text, "Labels from")
    if scores is None:
        st.caption("Type at least two characters to get labels.")
    else:
        st.caption(
            "The label under a head names what it attends to most, if that is at least "
            f"{MIN_LABEL_SCORE:.0%} of its attention."
        )
    if sentence := _default_sentence(checkpoint):
        st.caption(sentence)
    with grid:
        head_grid(
            "head_grid",
            _labels(checkpoint.config, scores),
            choice.layer,
            choice.head,
            cache.overview(checkpoint, text),
            on_pick=lambda layer, head: choose(Choice(layer, head)),
        )


def _default_sentence(checkpoint: Checkpoint) -> str | None:
    """Why the page opens with this head; None if no ablation was measured."""
    scores = checkpoint.head_scores
    if scores is None or scores.ablation is None:
        return None
    layer, head = scores.ablation.costliest()
    change = float(scores.ablation.loss_change[layer, head])
    return (
        f"The page opens with the most important head, layer {layer + 1}, head {head + 1}. Without "
        f"it, the validation loss rises most ({change:+.2g} nats per character)."
    )


def _labels(config: GPTConfig, scores: HeadScores | None) -> list[list[str]]:
    """The label of each head, by layer and head; empty for a head without one."""
    labels = [
        [scores.label(layer, head) if scores else None for head in range(config.n_head)]
        for layer in range(config.n_layer)
    ]
    return [[f"{each.name} {each.score:.2f}" if each else "" for each in row] for row in labels]

"""The All heads tab: a small map of every head, and one large map."""

import streamlit as st

from microgpt.analysis.head_scores import MIN_LABEL_SCORE
from microgpt.checkpoint import Checkpoint
from microgpt.ui.attention.controls import (
    image_control,
    scale_control,
    scale_hint,
    selected_scores,
    text_and_controls,
    too_short,
)
from microgpt.ui.attention.large_map import MAP_KEY, chosen_map
from microgpt.ui.attention.steps import MAPS, steps_from
from microgpt.ui.attention.switchboard import badges
from microgpt.ui.cache.attention import overview_image
from microgpt.ui.components.head_grid.head_grid import head_grid
from microgpt.ui.glossary import caption
from microgpt.ui.head_choice import Choice, choose, head_choice
from microgpt.ui.next_steps import next_steps


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
            about=f"{choice.title}. Each row shows how much one character attends to itself and to "
            "each earlier character; the row sums to 1. Later characters are masked, so their "
            "cells are blank.",
        )
        image_control()
    # The overview comes last, so that the chosen map does not wait for it.
    with overview:
        _overview(checkpoint, text, choice)
    next_steps(*steps_from(MAPS, checkpoint, text, choice))


def _overview(checkpoint: Checkpoint, text: str, choice: Choice) -> None:
    """Show small maps of every head and of the means, with a badge under each head."""
    grid = st.container()
    caption("Each row is a layer and each column a head. Choose a map to enlarge it.")
    scores = selected_scores(checkpoint, text, "Scores from")
    if scores is None:
        caption(too_short(checkpoint))
    else:
        caption(
            "Under each head is its highest score, faint below "
            f"{MIN_LABEL_SCORE:g}: the share of its attention that goes to one kind of character."
        )
    if sentence := _default_sentence(checkpoint):
        caption(sentence)
    with grid:
        head_grid(
            "head_grid",
            badges(scores, checkpoint.config),
            choice.layer,
            choice.head,
            overview_image(checkpoint, text),
            large=MAP_KEY,
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

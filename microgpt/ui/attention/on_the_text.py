"""The text itself under one layer's heads: what each character attends to."""

import numpy as np
import streamlit as st

from microgpt.analysis.attention import combined
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.ui import cache
from microgpt.ui.attention.choice import Choice, head_choice
from microgpt.ui.attention.controls import attended_text
from microgpt.ui.components.strip.strip import text_strip


def text_view(checkpoint: Checkpoint) -> None:
    """Show the text, shaded by what each character attends to."""
    text = attended_text(checkpoint)
    if not text:
        return
    choice = head_choice(checkpoint)
    names, shown = _stripes(checkpoint.config, choice)
    st.caption(
        "Point at a character, or tap it: the others are shaded by how much "
        f"{'this head looks' if choice.head is not None else 'the heads look, in the mean,'} at "
        "them, from nothing to the largest share; the stripes below are "
        f"{'the means of all layers' if choice.layer is None else 'all heads of the layer'}, "
        f"the first on top{'' if choice.head is not None else ', and the mean of them at the end'}."
        " A click or a tap pins, a second one or Escape lets go. At first it is the last "
        "character's turn: what the model looks at while it decides on the next one."
    )
    maps = cache.attention_maps(checkpoint, text).weights
    weights = [combined(maps, each.heads(checkpoint.config), "mean").numpy() for each in shown]
    text_strip("strip", text, names, np.stack(weights), shown.index(choice))


def _stripes(config: GPTConfig, choice: Choice) -> tuple[list[str], list[Choice]]:
    """What stands under each character, by name: a layer's heads or all layers, and their mean."""
    if choice.layer is None:
        names = [f"layer {number}" for number in range(1, config.n_layer + 1)]
        shown = [Choice(layer, None) for layer in range(config.n_layer)]
    else:
        names = [f"head {number}" for number in range(1, config.n_head + 1)]
        shown = [Choice(choice.layer, head) for head in range(config.n_head)]
    return (names, shown) if choice.head is not None else ([*names, "mean"], [*shown, choice])

"""The On the text tab: the text, shaded by what one of its characters attends to."""

import numpy as np

from microgpt.analysis.attention import combined
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.ui.attention.controls import scale_control, scale_hint, text_and_controls
from microgpt.ui.attention.steps import ON_TEXT, steps_from
from microgpt.ui.cache.attention import attention_maps
from microgpt.ui.components.strip.strip import text_strip
from microgpt.ui.glossary import caption
from microgpt.ui.head_choice import Choice, head_choice
from microgpt.ui.next_steps import next_steps


def text_view(checkpoint: Checkpoint) -> None:
    """Show the text, shaded by what the character under the pointer attends to."""
    text, controls = text_and_controls(checkpoint)
    if not text:
        return
    with controls:
        choice, row = head_choice(checkpoint)
        with row:
            scale = scale_control()
        scale_hint(text, scale)
    names, shown = _stripes(checkpoint.config, choice)
    caption(
        "Point at a character or tap it. The colours show how much it attends to each earlier "
        f"character{'' if choice.head is not None else ', on average over the heads'}."
    )
    maps = attention_maps(checkpoint, text).weights
    weights = [combined(maps, each.heads(checkpoint.config), "mean").numpy() for each in shown]
    text_strip("strip", text, names, np.stack(weights), shown.index(choice), scale)
    stripes = "the means of all layers" if choice.layer is None else "all heads of the layer"
    caption(
        f"The stripes under the text show {stripes}, the first on top"
        f"{'' if choice.head is not None else ' and their mean at the bottom'}. "
        "Click a character to keep it selected. Click it again or press Escape to deselect it."
    )
    next_steps(*steps_from(ON_TEXT, checkpoint, text, choice))


def _stripes(config: GPTConfig, choice: Choice) -> tuple[list[str], list[Choice]]:
    """Names and choices of the stripes: the heads of a layer or all layers, and their mean."""
    if choice.layer is None:
        names = [f"layer {number}" for number in range(1, config.n_layer + 1)]
        shown = [Choice(layer, None) for layer in range(config.n_layer)]
    else:
        names = [f"head {number}" for number in range(1, config.n_head + 1)]
        shown = [Choice(choice.layer, head) for head in range(config.n_head)]
    return (names, shown) if choice.head is not None else ([*names, "mean"], [*shown, choice])

"""The Combined tab: attention rollout, or the mean or maximum of some heads, as one map."""

import numpy as np
import streamlit as st

from microgpt.analysis.attention import AttentionMaps, combined, rollout
from microgpt.checkpoint import Checkpoint
from microgpt.ui.allowed import Numbers, OneOf, SomeOf
from microgpt.ui.attention.controls import (
    VIEW,
    image_control,
    scale_control,
    scale_hint,
    text_and_controls,
)
from microgpt.ui.attention.large_map import large_map
from microgpt.ui.attention.steps import COMBINED, steps_from
from microgpt.ui.cache.attention import attention_maps
from microgpt.ui.controls import CONTROL_WIDTH, control, is_count, is_list_of, is_text
from microgpt.ui.glossary import caption
from microgpt.ui.next_steps import next_steps

_COMBINE = control("combine", is_text, saved=VIEW)
_UP_TO = control("up_to", is_count, saved=VIEW)
_HEADS = control("combined_heads", is_list_of(is_text), saved=VIEW)

_CAPTIONS = {
    "rollout": "Attention rollout takes the mean map of each layer and multiplies these mean maps "
    "up to the chosen layer. Each row shows how much each character of the text contributes to one "
    "position (Abnar and Zuidema, 2020).",
    "mean": "The mean of the attention weights of these heads. Each row sums to 1.",
    "maximum": "The largest attention weight of these heads. A row may sum to more than 1.",
}


def combined_view(checkpoint: Checkpoint) -> None:
    """Show several heads as one map."""
    text, controls = text_and_controls(checkpoint)
    if not text:
        return
    maps = attention_maps(checkpoint, text)
    with controls, st.container(horizontal=True, vertical_alignment="bottom"):
        method = st.segmented_control(
            "Combine by",
            list(_CAPTIONS),
            default="rollout",
            required=True,
            **_COMBINE.args(OneOf(list(_CAPTIONS), "rollout")),
        )
        scale = scale_control()
        combination = (
            _rollout(checkpoint, maps)
            if method == "rollout"
            else _of_heads(checkpoint, maps, method)
        )
    with controls:
        scale_hint(text, scale)
    if combination is None:
        caption("Choose at least one head.")
        return
    heads, weights = combination
    title, name = f"{method.capitalize()} of {heads}", f"microgpt-{method}"
    columns = {"combined_by": method, "heads": heads}
    about = _CAPTIONS[method]
    large_map(checkpoint, text, weights, scale, title, name, columns, about=about)
    image_control()
    next_steps(*steps_from(COMBINED, checkpoint, text, None))


def _rollout(checkpoint: Checkpoint, maps: AttentionMaps) -> tuple[str, np.ndarray]:
    """Show the control of the last layer; return the layers in words and the rollout (T, T)."""
    most = checkpoint.config.n_layer
    allowed = _UP_TO.args(Numbers(1, most, most))
    up_to = st.number_input("Up to layer", 1, most, most, **allowed, width=CONTROL_WIDTH)
    weights = rollout(maps.weights, checkpoint.config.residual)[up_to - 1].numpy()
    return "layer 1" if up_to == 1 else f"layers 1 to {up_to}", weights


def _of_heads(
    checkpoint: Checkpoint, maps: AttentionMaps, method: str
) -> tuple[str, np.ndarray] | None:
    """Show the choice of heads; return them in words and their map (T, T), None for no heads."""
    config = checkpoint.config
    names = {
        f"L{layer + 1} H{head + 1}": (layer, head)
        for layer in range(config.n_layer)
        for head in range(config.n_head)
    }
    last = [name for name, (layer, _) in names.items() if layer == config.n_layer - 1]
    chosen = st.multiselect("Heads", list(names), last, **_HEADS.args(SomeOf(list(names), last)))
    if not chosen:
        return None
    chosen = [name for name in names if name in chosen]
    heads = [names[name] for name in chosen]
    weights = combined(maps.weights, heads, "mean" if method == "mean" else "maximum")
    return ", ".join(chosen), weights.numpy()

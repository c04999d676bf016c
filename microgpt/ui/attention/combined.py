"""Several heads as one map: attention rollout, or the mean or maximum of chosen heads."""

import numpy as np
import streamlit as st

from microgpt.analysis.attention import AttentionMaps, combined, rollout
from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.attention.controls import (
    VIEW,
    attended_text,
    image_control,
    image_format,
    row_as_table,
    scale_control,
)
from microgpt.ui.attention.take_home import take_home
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.controls import CONTROL_WIDTH, control, is_count, is_list_of, is_text

_COMBINE = control("combine", is_text, saved=VIEW)
_UP_TO = control("up_to", is_count, saved=VIEW)
_HEADS = control("combined_heads", is_list_of(is_text), saved=VIEW)

_READ = {
    "rollout": "Attention rollout multiplies the maps of all layers up to this one. Each row shows "
    "how much each character of the text contributes to one position (Abnar and Zuidema, 2020).",
    "mean": "The mean of the chosen heads. Each row sums to 1.",
    "maximum": "The largest attention weight of the chosen heads. A row may sum to more than 1.",
}


def combined_view(checkpoint: Checkpoint) -> None:
    """Show several heads as one map."""
    text = attended_text(checkpoint)
    if not text:
        return
    maps = cache.attention_maps(checkpoint, text)
    how = st.segmented_control(
        "Combine by",
        list(_READ),
        default="rollout",
        required=True,
        **_COMBINE.bound,
    )
    found = _rolled(checkpoint, maps) if how == "rollout" else _of_heads(checkpoint, maps, how)
    if found is None:
        st.caption("Choose at least one head.")
        return
    of, shown = found
    title, name = f"{how.capitalize()} of {of}", f"microgpt-{how}"
    figure = attention_charts.attention_map(shown, text, scale_control(text))
    st.plotly_chart(
        figure,
        height=640,
        config=style.menu(name, image_format()),
        alt=f"Attention map: {title}",
    )
    st.caption(_READ[how])
    row_as_table(shown, text)
    take_home(checkpoint, text, title, name, {"combined_by": how, "heads": of}, shown, figure)
    image_control()


def _rolled(checkpoint: Checkpoint, maps: AttentionMaps) -> tuple[str, np.ndarray]:
    """The combined layers in words and the map (T, T); _of_heads returns the same for heads."""
    most = checkpoint.config.n_layer
    _UP_TO.keep_within(most)
    up_to = st.number_input("Up to layer", 1, most, most, **_UP_TO.bound, width=CONTROL_WIDTH)
    rolled = rollout(maps.weights, checkpoint.config.residual)[up_to - 1].numpy()
    return "layer 1" if up_to == 1 else f"layers 1 to {up_to}", rolled


def _of_heads(
    checkpoint: Checkpoint, maps: AttentionMaps, how: str
) -> tuple[str, np.ndarray] | None:
    config = checkpoint.config
    names = {
        f"L{layer + 1} H{head + 1}": (layer, head)
        for layer in range(config.n_layer)
        for head in range(config.n_head)
    }
    last = [name for name, (layer, _) in names.items() if layer == config.n_layer - 1]
    chosen = st.multiselect("Heads", list(names), last, **_HEADS.bound)
    if not chosen:
        return None
    chosen = [name for name in names if name in chosen]
    heads = [names[name] for name in chosen]
    shown = combined(maps.weights, heads, "mean" if how == "mean" else "maximum")
    return ", ".join(chosen), shown.numpy()

"""Several heads as one map: rollout from the input, the mean or the maximum of chosen heads."""

import streamlit as st
from torch import Tensor

from microgpt.analysis.attention import combined, rollout
from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.attention.maps import attended_text
from microgpt.ui.attention.reading import row_as_table, scale_control
from microgpt.ui.attention.take_home import image_control, image_format, take_home
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.widgets import CONTROL_WIDTH, keep_within

_READ = {
    "rollout": "Attention followed from this layer down to the input: each layer's mean over its "
    "heads, half of it replaced by the residual path (Abnar and Zuidema, 2020). A row says which "
    "characters of the text a position is made of by then, and sums to 1.",
    "mean": "The mean of the chosen heads; a row sums to 1.",
    "maximum": "The largest share that any of the chosen heads gives; a row may sum to more than "
    "1.",
}


def combined_view(checkpoint: Checkpoint) -> None:
    """All of the tab."""
    text = attended_text(checkpoint)
    if not text:
        return
    weights = cache.attention_maps(checkpoint, text).weights
    how = st.segmented_control(
        "Combine by",
        list(_READ),
        default="rollout",
        required=True,
        key="combine",
        bind="query-params",
    )
    found = (
        _rolled(checkpoint, weights) if how == "rollout" else _of_heads(checkpoint, weights, how)
    )
    if found is None:
        st.caption("Choose at least one head.")
        return
    of, chosen = found
    shown = chosen.numpy()
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


def _rolled(checkpoint: Checkpoint, weights: Tensor) -> tuple[str, Tensor]:
    """What is combined, in words, and its map; as _of_heads."""
    most = checkpoint.config.n_layer
    keep_within("up_to", most)
    up_to = st.number_input(
        "Up to layer", 1, most, most, key="up_to", bind="query-params", width=CONTROL_WIDTH
    )
    rolled = rollout(weights, checkpoint.config.residual)[up_to - 1]
    return "layer 1" if up_to == 1 else f"layers 1 to {up_to}", rolled


def _of_heads(checkpoint: Checkpoint, weights: Tensor, how: str) -> tuple[str, Tensor] | None:
    config = checkpoint.config
    names = {
        f"L{layer + 1} H{head + 1}": (layer, head)
        for layer in range(config.n_layer)
        for head in range(config.n_head)
    }
    last = [name for name, (layer, _) in names.items() if layer == config.n_layer - 1]
    chosen = st.multiselect("Heads", list(names), last, key="combined_heads", bind="query-params")
    if not chosen:
        return None
    chosen = [name for name in names if name in chosen]
    return ", ".join(chosen), combined(weights, [names[name] for name in chosen], how)

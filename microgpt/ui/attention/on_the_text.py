"""The text itself under one layer's heads: what each character attends to."""

import streamlit as st

from microgpt.hub import Loaded
from microgpt.ui import cache
from microgpt.ui.attention.maps import attended_text, head_choice
from microgpt.ui.attention.strip import text_strip


def text_view(loaded: Loaded) -> None:
    """All of the tab."""
    checkpoint = loaded.checkpoint
    text = attended_text(checkpoint)
    if not text:
        return
    layer, head = head_choice(checkpoint)
    st.caption(
        "Point at a character, or tap it: the others are shaded by how much this head looks at "
        "them, from nothing to the largest share; the stripes below are all heads of the layer, "
        "the first on top. A click pins, Escape lets go. At first it is the last character's turn: "
        "what the model looks at while it decides on the next one."
    )
    weights = cache.attention_maps(checkpoint, text).weights[layer].numpy()
    names = [f"head {number}" for number in range(1, checkpoint.config.n_head + 1)]
    text_strip("strip", text, names, weights, head)

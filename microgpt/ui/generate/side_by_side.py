"""The same prompt and seed under two settings, and where the two texts first differ."""

import streamlit as st

from microgpt.analysis.predictions import Predictions, first_difference
from microgpt.checkpoint import Checkpoint
from microgpt.sampling import SamplingConfig
from microgpt.ui import cache
from microgpt.ui.charts import style
from microgpt.ui.components.tokens.tokens import Packing, token_text
from microgpt.ui.generate.controls import (
    DRAWING,
    LENGTH,
    OTHER_DRAWING,
    drawing_controls,
    length_control,
    prompt_control,
    seed_control,
)
from microgpt.ui.text import plain

# Each change of a slider makes two texts.
LONGEST = 400
SLIDER_WIDTH = 120
OTHERS = {"temperature": 1.2}  # the right-hand settings that differ at first


def side_by_side_view(checkpoint: Checkpoint) -> None:
    """Show what the model writes under two settings."""
    prompt = prompt_control(checkpoint)
    with st.container(horizontal=True):
        length = length_control(LONGEST)
        seed = seed_control()
    configs = []
    for column, name, controls, defaults in zip(
        st.columns(2), ("Left", "Right"), (DRAWING, OTHER_DRAWING), (None, OTHERS), strict=True
    ):
        with column:
            st.markdown(f"**{name}**")
            with st.container(horizontal=True):
                drawn = drawing_controls(checkpoint.tokenizer, controls, defaults, SLIDER_WIDTH)
            configs.append(SamplingConfig(**drawn, seed=seed))
    if prompt is None:
        return
    if length < LENGTH.value:
        st.caption(f"This tab writes at most {length:,} characters on each side.")
    texts = [cache.generated(checkpoint, prompt, length, config) for config in configs]
    parting = first_difference(*texts)
    st.caption(_difference(texts, parting, style.visible(checkpoint.tokenizer.characters), seed))
    for column, key, config, text in zip(
        st.columns(2), ("Left", "Right"), configs, texts, strict=True
    ):
        name = f"{key} {hash((prompt, config, checkpoint.fingerprint))}"
        with column:
            st.caption(f"{key}: {config.summary}")
            token_text(key, name, checkpoint.tokenizer, prompt, text, Packing(config), mark=parting)


def _difference(texts: list[Predictions], at: int | None, labels: list[str], seed: int) -> str:
    if at is None:
        return f"With seed {seed} both settings write the same text."
    left, right = (plain(labels[int(text.tokens[at])]) for text in texts)
    return (
        f"Both texts use seed {seed}. They first differ at character {at + 1:,}, which is marked: "
        f"{left} on the left, {right} on the right."
    )

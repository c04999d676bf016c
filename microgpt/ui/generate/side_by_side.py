"""The Side by side tab: the same prompt and seed with two different settings."""

import streamlit as st

from microgpt.analysis.predictions import Predictions, first_difference
from microgpt.checkpoint import Checkpoint
from microgpt.sampling import SamplingConfig
from microgpt.ui import cache
from microgpt.ui.charts import style
from microgpt.ui.components.tokens.tokens import Packing, token_text
from microgpt.ui.generate.controls import (
    LENGTH,
    OTHER_SAMPLING,
    SAMPLING,
    length_control,
    prompt_control,
    sampling_sliders,
    seed_control,
)
from microgpt.ui.text import markdown

# Few, because each change of a slider writes two texts.
MAX_CHARACTERS = 400
RIGHT_DEFAULTS = {"temperature": 1.2}  # the settings on the right that differ at first


def side_by_side_view(checkpoint: Checkpoint) -> None:
    """Show what the model writes with two different settings."""
    prompt = prompt_control(checkpoint)
    with st.container(horizontal=True):
        length = length_control(cache.within_memory(checkpoint, MAX_CHARACTERS))
        seed = seed_control()
    above, columns, configs = st.container(), st.columns(2), []
    sides = ("Left", SAMPLING, None), ("Right", OTHER_SAMPLING, RIGHT_DEFAULTS)
    for column, (side, controls, defaults) in zip(columns, sides, strict=True):
        with column:
            st.markdown(f"**{side}**")
            with st.container(horizontal=True):
                settings = sampling_sliders(checkpoint.tokenizer, controls, defaults)
            configs.append(SamplingConfig(**settings, seed=seed))
    if prompt is None:
        return
    texts = [cache.generated(checkpoint, prompt, length, config) for config in configs]
    difference = first_difference(*texts)
    with above:
        if length < LENGTH.value:
            st.caption(f"This tab writes at most {length:,} characters on each side.")
        labels = style.visible(checkpoint.tokenizer.characters)
        st.caption(_sentence(texts, difference, labels, seed))
    for column, (side, *_), config, text in zip(columns, sides, configs, texts, strict=True):
        name = f"{side} {hash((prompt, config, checkpoint.fingerprint))}"
        packing = Packing(config)
        with column:
            token_text(side, name, checkpoint.tokenizer, prompt, text, packing, mark=difference)


def _sentence(texts: list[Predictions], at: int | None, labels: list[str], seed: int) -> str:
    if at is None:
        return f"With seed {seed}, both settings write the same text."
    left, right = (markdown(style.isolated(labels[int(text.tokens[at])])) for text in texts)
    return (
        f"Both texts use seed {seed}. They first differ at character {at + 1:,}, which is marked: "
        f"{left} on the left, {right} on the right."
    )

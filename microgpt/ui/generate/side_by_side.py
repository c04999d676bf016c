"""The Side by side tab: the same prompt and seed with two different settings."""

import streamlit as st

from microgpt.analysis.predictions import Predictions, first_difference
from microgpt.checkpoint import Checkpoint
from microgpt.sampling import SamplingConfig
from microgpt.ui.cache.writing import within_memory, written_text
from microgpt.ui.charts import style
from microgpt.ui.components.tokens.tokens import Packing, token_text
from microgpt.ui.generate.controls import (
    LENGTH,
    OTHER_SAMPLING,
    SAMPLING,
    length_and_seed,
    length_control,
    more_settings,
    prompt_control,
    sampling_row,
    sampling_sliders,
    seed_control,
)
from microgpt.ui.generate.next_character import distribution_dialog, request_distribution
from microgpt.ui.generate.steps import write_with
from microgpt.ui.glossary import caption
from microgpt.ui.inside.steps import why_this_written_one
from microgpt.ui.next_steps import next_steps
from microgpt.ui.text import markdown

# Few, because each change of a slider writes two texts.
MAX_CHARACTERS = 400
RIGHT_DEFAULTS = {"temperature": 1.2}  # the settings on the right that differ at first


def side_by_side_view(checkpoint: Checkpoint) -> None:
    """Show what the model writes with two different settings."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        prompt = prompt_control(checkpoint)
    with right:
        above = st.container()
        with more_settings(length_and_seed()):
            length = length_control(within_memory(checkpoint, MAX_CHARACTERS))
            seed = seed_control()
    columns, configs = st.columns(2), []
    sides = ("Left", SAMPLING, None), ("Right", OTHER_SAMPLING, RIGHT_DEFAULTS)
    for column, (side, controls, defaults) in zip(columns, sides, strict=True):
        with column, sampling_row(side):
            settings = sampling_sliders(checkpoint.tokenizer, controls, defaults)
        configs.append(SamplingConfig(**settings, seed=seed))
    if prompt is None:
        return
    texts = [written_text(checkpoint, prompt, length, config) for config in configs]
    difference = first_difference(*texts)
    with above:
        if length < LENGTH.value:
            caption(f"This tab writes at most {length:,} characters on each side.")
        labels = style.visible(checkpoint.tokenizer.characters)
        caption(_sentence(texts, difference, labels, seed))
    for column, (side, *_), config, text in zip(columns, sides, configs, texts, strict=True):
        name = f"{side} {hash((prompt, config, checkpoint.fingerprint))}"
        packing = Packing(config)
        with column:
            token_text(
                side,
                name,
                checkpoint.tokenizer,
                prompt,
                text,
                packing,
                mark=difference,
                on_pick=request_distribution(text, config),
                explain=why_this_written_one(checkpoint, prompt, text),
            )
    next_steps(
        *(
            write_with(f"Write with the {side.lower()} settings", checkpoint.tokenizer, config)
            for (side, *_), config in zip(sides, configs, strict=True)
        )
    )
    distribution_dialog(checkpoint)


def _sentence(texts: list[Predictions], at: int | None, labels: list[str], seed: int) -> str:
    if at is None:
        return f"With seed {seed}, both settings write the same text."
    left, right = (markdown(style.isolated(labels[int(text.tokens[at])])) for text in texts)
    return (
        f"Both texts use seed {seed}. They first differ at character {at + 1:,}, which is marked: "
        f"{left} in the first text, {right} in the second."
    )

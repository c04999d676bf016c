"""The distribution of the next character, before and after the sampling settings."""

import pandas as pd
import streamlit as st

from microgpt.analysis import predictions
from microgpt.checkpoint import Checkpoint
from microgpt.sampling import SamplingConfig
from microgpt.ui import cache
from microgpt.ui.charts import style
from microgpt.ui.charts import text as text_charts
from microgpt.ui.charts.style import menu
from microgpt.ui.controls import CONTROL_WIDTH
from microgpt.ui.generate.generated_text import (
    GeneratedText,
    branch,
    select_character,
    selected_character,
)
from microgpt.ui.text import markdown


def next_character(checkpoint: Checkpoint, prompt: str | None, config: SamplingConfig) -> None:
    """Show the distribution of the selected character, or of the first one after the prompt.

    The logits are stored, so a slider needs no forward pass.
    """
    labels = style.visible(checkpoint.tokenizer.characters)
    selected, actual, sentence = selected_character(), None, ""
    if selected is not None:
        text, at = selected
        here = text.predictions[at : at + 1]
        logits, actual = here.logits[0], int(here.tokens[0])
        sentence = _actual_sentence(text, at, labels[actual])
        st.subheader(f"Other characters at position {at + 1}", anchor=False)
    elif prompt is not None:
        logits = cache.next_logits(checkpoint, prompt)
        st.subheader("The first character after the prompt", anchor=False)
    else:
        return
    found = predictions.next_character(logits, config)
    st.plotly_chart(
        text_charts.distribution(found.model.numpy(), found.drawn.numpy(), labels, actual),
        height=300,
        config=menu("microgpt-next-character"),
        alt="Probability of every character",
    )
    possible = f"The settings allow {found.possible} of {len(labels)} characters."
    if found.possible < len(labels):
        possible += f" The model gives the others {found.removed:.1%} in total."
    st.caption(
        "Dashes: the probabilities that the model predicts. Bars: the probabilities after the "
        f"sampling settings. {possible}{text_charts.bars_shown(len(labels))}{sentence}"
    )
    if selected is not None:
        _branch(checkpoint, *selected)
    with st.expander("As a table"):
        table = pd.DataFrame(
            {"character": labels, "model": found.model, "after the settings": found.drawn}
        )
        st.dataframe(table.sort_values("model", ascending=False, kind="stable"), hide_index=True)


def _actual_sentence(text: GeneratedText, at: int, label: str) -> str:
    drawn = text.predictions[at : at + 1].drawn_with(text.config).item()
    character = markdown(style.isolated(label))
    return (
        f" The text has {character} here. With the settings that wrote the text, its probability "
        f"was {drawn:.1%}."
    )


def _branch(checkpoint: Checkpoint, text: GeneratedText, at: int) -> None:
    """Show the controls that continue the text with another character, or end the selection."""
    characters = checkpoint.tokenizer.characters
    here = text.predictions[at : at + 1]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        token = st.selectbox(
            "Another character",
            [token for token in here.order[0].tolist() if token != here.tokens[0]],
            format_func=lambda token: style.visible(characters[token])[0],
            key=f"instead of {at} in {text.name}",
            width=CONTROL_WIDTH,
        )
        st.button(
            "Branch here",
            icon=":material/call_split:",
            disabled=token is None,
            on_click=branch,
            args=(checkpoint.tokenizer, text, at, token),
        )
        st.button("Close", on_click=select_character, args=(None,))

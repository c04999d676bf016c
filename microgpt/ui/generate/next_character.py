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
from microgpt.ui.generate.written import Written, branch
from microgpt.ui.text import plain


def next_character(
    checkpoint: Checkpoint, written: Written, prompt: str | None, config: SamplingConfig
) -> None:
    """Show the distribution of the character chosen in the text, or of the one after the prompt.

    The logits are stored, so a slider needs no forward pass.
    """
    chosen, at = st.session_state.get("chosen", (None, 0))
    labels = style.visible(checkpoint.tokenizer.characters)
    taken = None
    earlier, _ = written.parted_from or (None, 0)
    if chosen is not None and chosen in (written, earlier):
        here = chosen.predictions[at : at + 1]
        logits, taken = here.logits[0], int(here.tokens[0])
        st.subheader(f"Other characters at position {at + 1}", anchor=False)
    elif prompt is not None:
        logits = cache.next_logits(checkpoint, prompt)
        st.subheader("The first character after the prompt", anchor=False)
    else:
        return
    found = predictions.next_character(logits, config)
    st.plotly_chart(
        text_charts.distribution(found.model.numpy(), found.drawn.numpy(), labels, taken),
        height=300,
        config=menu("microgpt-next-character"),
        alt="Probability of every character",
    )
    possible = f"The settings allow {found.possible} of {len(labels)} characters"
    if found.possible < len(labels):
        possible += f"; they cut off {found.lost:.1%} of the probability"
    st.caption(
        f"Dashes: the probabilities that the model predicts. Bars: the probabilities after the "
        f"sampling settings. {possible}."
        + ("" if taken is None else _taken_sentence(chosen, at, labels[taken]))
    )
    if taken is not None:
        _branch(checkpoint, chosen, at, taken)
    with st.expander("As a table"):
        table = pd.DataFrame(
            {"character": labels, "model": found.model, "after the settings": found.drawn}
        )
        st.dataframe(table.sort_values("model", ascending=False, kind="stable"), hide_index=True)


def _taken_sentence(chosen: Written, at: int, label: str) -> str:
    drawn = chosen.predictions[at : at + 1].drawn_with(chosen.config).item()
    return f" The text has {plain(label)} here; its own settings gave it {drawn:.1%}."


def _branch(checkpoint: Checkpoint, chosen: Written, at: int, taken: int) -> None:
    """Show the controls that continue the text with another character, or close this view."""
    characters = checkpoint.tokenizer.characters
    order = chosen.predictions[at : at + 1].order[0].tolist()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        token = st.selectbox(
            "Another character",
            [token for token in order if token != taken],
            format_func=lambda token: style.visible(characters[token])[0],
            key=f"instead of {at} in {chosen.name}",
            width=CONTROL_WIDTH,
        )
        st.button(
            "Branch here",
            icon=":material/call_split:",
            disabled=token is None,
            on_click=branch,
            args=(checkpoint.tokenizer, chosen, at, token),
        )
        st.button("Close", on_click=st.session_state.pop, args=("chosen", None))

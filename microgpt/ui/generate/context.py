"""The Context length tab: the loss by the number of characters that the model can see."""

import streamlit as st

from microgpt.analysis.context_length import context_lengths
from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.charts import text as text_charts
from microgpt.ui.charts.style import menu
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.controls import control
from microgpt.ui.download import download
from microgpt.ui.text_input import default_text, text_control

_TEXT = control("context_text", url="short")

PASSAGE = """\
FISHERMAN:
What news, good brother, from the northern shore?

BROTHER:
The king is come, and with the king his son.
They ask for bread, and for a bed to-night.

FISHERMAN:
Then let them come. My house is small, my lord
May find it poor; but what I have is his.

BROTHER:
I will go tell the king. He is not far.

FISHERMAN:
Go, brother, go, and tell him what I said:
My house is small, but what I have is his."""
# How many characters at the end of the text are predicted, and how many of them the map shows.
TARGETS, SHOWN = 48, 24
TOO_SHORT = "Type at least two characters. The first one is not predicted."
_MAX_CHARACTERS = 20_000


def context_view(checkpoint: Checkpoint) -> None:
    """Show the loss of the end of a text by context length."""
    text = text_control(
        checkpoint,
        "Text",
        default_text(checkpoint, PASSAGE),
        _TEXT,
        when_empty=TOO_SHORT,
        when_long=f"the model predicts the last {TARGETS}, each from longer and longer contexts",
        max_length=_MAX_CHARACTERS,
    )
    if text and len(text) < 2:
        st.caption(TOO_SHORT)
    if not text or len(text) < 2:
        return
    targets = min(TARGETS, len(text) - 1)
    lengths = context_lengths(min(checkpoint.config.block_size, len(text) - targets))
    surprisal = cache.surprisal_by_context(checkpoint, text, targets, lengths)
    baseline_losses = {}
    if checkpoint.baselines is not None:
        ids = checkpoint.tokenizer.encode(text)[-targets - 1 :]
        baseline_losses = checkpoint.baselines.losses(ids)
    st.plotly_chart(
        text_charts.loss_by_context(lengths, surprisal.mean(axis=1), baseline_losses),
        height=320,
        config=menu("microgpt-context"),
        alt="Loss by context length",
    )
    st.caption(
        "The context is the text before a character that the model can see. Where the line is "
        "flat, a longer context does not help."
    )
    st.plotly_chart(
        text_charts.probability_by_context(
            lengths, surprisal[:, -SHOWN:], text[-targets:][-SHOWN:]
        ),
        height=120 + 26 * len(lengths),
        config=menu("microgpt-context-characters"),
        alt="Probability of each character by context length",
    )
    count = min(SHOWN, targets)
    shown = f"each of the last {count} characters" if count > 1 else "the last character"
    st.caption(
        f"The probability of {shown}. If a column "
        "becomes brighter from top to bottom, a longer context helps to predict its character."
    )
    table = text_charts.context_table(lengths, surprisal, text[-targets:])
    with st.expander("As a table"):
        st.dataframe(table, hide_index=True)
    download("context.csv", lambda: to_csv(table), "context.csv")

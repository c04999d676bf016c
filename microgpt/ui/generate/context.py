"""The Context length tab: the loss by the number of characters that the model can see."""

import streamlit as st

from microgpt.analysis.context_length import TARGETS
from microgpt.checkpoint import Checkpoint
from microgpt.ui.attention.steps import look_inside
from microgpt.ui.cache.predictions import context_losses
from microgpt.ui.charts import text as text_charts
from microgpt.ui.charts.style import menu
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.controls import control
from microgpt.ui.download import download
from microgpt.ui.generate.steps import score_text
from microgpt.ui.glossary import caption
from microgpt.ui.next_steps import next_steps
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
SHOWN = 24  # of the predicted characters, in the map
TOO_SHORT = "Type at least two characters. The first one is not predicted."
_MAX_CHARACTERS = 20_000
_HEIGHT = 360  # of both charts, in pixels


def context_view(checkpoint: Checkpoint) -> None:
    """Show the loss of the end of a text by context length."""
    stored = checkpoint.context_losses
    opening = default_text(checkpoint, PASSAGE)
    text = text_control(
        checkpoint,
        "Text",
        opening if stored is None else checkpoint.tokenizer.decode(stored.ids),
        _TEXT,
        when_empty=TOO_SHORT,
        when_long=f"the model predicts the last {TARGETS}, each from longer and longer contexts",
        max_length=_MAX_CHARACTERS,
    )
    if text and len(text) < 2:
        caption(TOO_SHORT)
    if not text or len(text) < 2:
        return
    ids = checkpoint.tokenizer.encode(text)
    found = context_losses(checkpoint, text) if not stored or stored.ids != ids else stored
    lengths, surprisal = found.lengths, found.surprisal.numpy()
    targets = surprisal.shape[1]
    baseline_losses = {}
    if checkpoint.baselines is not None:
        baseline_losses = checkpoint.baselines.losses(ids[-targets - 1 :])
    left, right = st.columns(2)
    with left:
        st.plotly_chart(
            text_charts.loss_by_context(lengths, surprisal.mean(axis=1), baseline_losses),
            height=_HEIGHT,
            config=menu("microgpt-context"),
            alt="Loss by context length",
        )
        caption(
            "The context is the text that the model can see before the character that it predicts. "
            "Where the line is flat, a longer context does not help."
        )
    with right:
        st.plotly_chart(
            text_charts.probability_by_context(
                lengths, surprisal[:, -SHOWN:], text[-targets:][-SHOWN:]
            ),
            height=_HEIGHT,
            config=menu("microgpt-context-characters"),
            alt="Probability of each character by context length",
        )
        count = min(SHOWN, targets)
        shown = f"each of the last {count} characters" if count > 1 else "the last character"
        caption(
            f"The probability of {shown}. If a column becomes brighter from top to bottom, a "
            "longer context helps to predict its character."
        )
    next_steps(look_inside(checkpoint, text), score_text(text))
    table = text_charts.context_table(lengths, surprisal, text[-targets:])
    with st.expander("As a table"):
        st.dataframe(table, hide_index=True)
    download("context.csv", lambda: to_csv(table), "context.csv")

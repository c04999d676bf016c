"""The Measure your text tab: the loss of the checkpoint and the baselines on a text."""

import math

import pandas as pd
import streamlit as st

from microgpt.analysis.loss import text_loss
from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.controls import MAX_TEXT, control
from microgpt.ui.download import download
from microgpt.ui.progress import progress_bar
from microgpt.ui.text_input import check_characters, default_text

_TEXT = control("measured_text", url=False)

PASSAGE = """\
GARDENER:
The frost has come too early to the hill,
And all my roses bend their heads at once.

MESSENGER:
Then cut them, sir, and bring them to the hall;
A rose within is better than a frost without."""


def measure_view(checkpoint: Checkpoint) -> None:
    """Show a text area, a button and the losses on the text."""
    st.caption(
        "How well does the model predict your text? Paste a text and compare the model with the "
        "baselines, which are simpler models."
    )
    example = default_text(checkpoint, PASSAGE)
    _TEXT.follow_default(example)
    text = st.text_area(
        "Text to measure",
        example,
        height=200,
        max_chars=MAX_TEXT,
        **_TEXT.widget_args,
    )
    with st.container():
        known = check_characters(checkpoint.tokenizer, "Text to measure", _TEXT, text)
        if known and len(text) < 2:
            st.caption("Type at least two characters. The first one is not predicted.")
    measurable = known and len(text) >= 2
    pressed = st.button("Measure", icon=":material/straighten:", disabled=not measurable)
    opening = measurable and text == example  # the tab opens with a result
    result = cache.session_result(
        "measured",
        checkpoint.fingerprint,
        (lambda: (text, _measure(checkpoint, text))) if pressed or opening else None,
        recompute=pressed,
    )
    if result is not None:
        measured, losses = result
        _show(losses, len(measured), measured != text, checkpoint.training.val_loss_full)


def _measure(checkpoint: Checkpoint, text: str) -> dict[str, float]:
    """Loss by model in nats per character, over all characters but the first."""
    ids = checkpoint.tokenizer.encode(text)
    with progress_bar("Measuring …") as show:
        loss = text_loss(checkpoint.model, ids, show)
    losses = checkpoint.baselines.losses(ids) if checkpoint.baselines else {}
    return {"this checkpoint": loss} | {name: losses[name] for name in reversed(losses)}


def _show(losses: dict[str, float], length: int, stale: bool, val_loss: float | None) -> None:
    loss, bits = "loss (nats per character)", "bits per character"
    frame = pd.DataFrame(
        {
            "model": list(losses),
            loss: list(losses.values()),
            bits: [each / math.log(2) for each in losses.values()],
            "perplexity": [math.exp(min(each, 700)) for each in losses.values()],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            loss: st.column_config.ProgressColumn(max_value=frame[loss].max(), format="%.4f"),
            bits: st.column_config.NumberColumn(format="%.3f"),
            "perplexity": st.column_config.NumberColumn(format="%.2f"),
        },
    )
    if stale:
        st.caption("You changed the text after this measurement. Press Measure for a new one.")
    st.caption(
        f"Measured on {length:,} characters. A perplexity of 5 means that the model is as "
        "uncertain as a choice among 5 equally likely characters."
    )
    compared = ""
    if val_loss is not None:
        compared = f" The validation loss of this checkpoint is {val_loss:.4f} nats per character."
    st.caption(
        "The first characters have little text before them, so they are hard to predict, and a "
        "short text has a higher loss." + compared
    )
    download("measured.csv", lambda: to_csv(frame), "measured.csv")

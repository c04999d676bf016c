"""Measure the checkpoint checkpoint on a text of the visitor's, beside models that know less."""

import math

import pandas as pd
import streamlit as st
import torch

from microgpt.analysis.loss import text_loss
from microgpt.checkpoint import Checkpoint
from microgpt.ui.widgets import follow_default, is_known

PASSAGE = """\
GARDENER:
The frost has come too early to the hill,
And all my roses bend their heads at once.

MESSENGER:
Then cut them, sir, and bring them to the hall;
A rose within is better than a frost without."""
LONGEST = 100_000


def measure_view(checkpoint: Checkpoint) -> None:
    """A text, a button, and what the checkpoint loses on it."""
    st.caption(
        "How well does the checkpoint know a text? Paste one, and compare it with models that know "
        "less."
    )
    example = checkpoint.tokenizer.replace_unknown(PASSAGE)
    follow_default("measured_text", example)
    text = st.text_area(
        "Text to measure",
        example,
        height=200,
        max_chars=LONGEST,
        key="measured_text",
        persist_state="session",
    )
    with st.container():
        known = is_known(checkpoint.tokenizer, "Text to measure", "measured_text", text)
        if known and len(text) < 2:
            st.caption("Type at least two characters: the first is only read.")
    can = known and len(text) >= 2
    asked = st.button("Measure", icon=":material/straighten:", disabled=not can)
    kept = st.session_state.get("measured")
    is_new = kept is None or kept[0] != checkpoint.fingerprint
    if asked or (can and is_new and text == example):  # the view opens with a result
        kept = (checkpoint.fingerprint, text, _measure(checkpoint, text))
        st.session_state["measured"] = kept
    if kept is not None and kept[0] == checkpoint.fingerprint:
        _, measured, losses = kept
        _show(losses, len(measured), measured != text, checkpoint.training.val_loss_full)


def _measure(checkpoint: Checkpoint, text: str) -> dict[str, float]:
    """Loss by model, nats per character, each asked for every character but the first."""
    ids = checkpoint.tokenizer.encode(text)
    bar = st.progress(0.0, "Measuring …")
    loss = text_loss(
        checkpoint.model,
        torch.tensor(ids),
        lambda done, total: bar.progress(done / total, f"Measuring … {done:,} of {total:,}"),
    )
    bar.empty()
    less = checkpoint.baselines.losses(ids) if checkpoint.baselines else {}
    return {"this checkpoint": loss} | {name: less[name] for name in reversed(less)}


def _show(losses: dict[str, float], length: int, is_stale: bool, val_loss: float | None) -> None:
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
    of = "an earlier text" if is_stale else "the text"
    usual = "" if val_loss is None else f" On its validation split it loses {val_loss:.4f} nats."
    st.caption(
        f"Of {of}, {length:,} characters. The model begins with nothing before it, so a short text "
        "is harder than a long one; perplexity is how many characters it wavers between." + usual
    )
    st.download_button(
        "measured.csv",
        frame.to_csv(index=False),
        "measured.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )

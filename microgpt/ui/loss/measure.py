"""Measure the loaded checkpoint on a text of the visitor's, beside models that know less."""

import math

import pandas as pd
import streamlit as st
import torch

from microgpt.checkpoint import Checkpoint
from microgpt.evaluate import text_loss
from microgpt.hub import Loaded
from microgpt.ui.widgets import is_known

PASSAGE = """\
GARDENER:
The frost has come too early to the hill,
And all my roses bend their heads at once.

MESSENGER:
Then cut them, sir, and bring them to the hall;
A rose within is better than a frost without."""
LONGEST = 100_000


def measure_view(loaded: Loaded) -> None:
    """A text, a button, and what the checkpoint loses on it."""
    checkpoint = loaded.checkpoint
    st.subheader("Measure it on your text", anchor=False)
    text = st.text_area(
        "Text to measure",
        checkpoint.tokenizer.replace_unknown(PASSAGE),
        height=170,
        max_chars=LONGEST,
        key="measured_text",
        persist_state="session",
    )
    with st.container():
        known = is_known(checkpoint.tokenizer, "Text to measure", "measured_text", text)
        if known and len(text) < 2:
            st.caption("Type at least two characters: the first is only read.")
    if st.button("Measure", icon=":material/straighten:", disabled=not known or len(text) < 2):
        st.session_state["measured"] = (checkpoint.fingerprint, text, _measure(checkpoint, text))
    fingerprint, measured, losses = st.session_state.get("measured", (None, "", {}))
    if losses and fingerprint == checkpoint.fingerprint:
        _show(losses, len(measured), stale=measured != text)


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


def _show(losses: dict[str, float], length: int, stale: bool) -> None:
    frame = pd.DataFrame(
        {
            "model": list(losses),
            "loss (nats per character)": [round(loss, 4) for loss in losses.values()],
            "bits per character": [round(loss / math.log(2), 3) for loss in losses.values()],
            "perplexity": [round(math.exp(min(loss, 700)), 2) for loss in losses.values()],
        }
    )
    st.dataframe(frame, hide_index=True)
    of = "an earlier text" if stale else "the text"
    st.caption(
        f"Of {of}, {length:,} characters. The model begins with nothing before it, so a short text "
        "is harder than a long one; perplexity is how many characters it wavers between."
    )

"""The Loss record page's view: how training and validation loss fell."""

import math
from dataclasses import asdict

import pandas as pd
import streamlit as st

from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.hub import Loaded
from microgpt.loss_record import best_validation, to_csv
from microgpt.ui import charts

# The original microGPT after 5,000 steps, estimated over 200 random batches of each split.
ORIGINAL = {"the original, validation": 1.4815, "the original, training": 1.1111}

COLUMN_LABELS = {
    "tokens": "characters read",
    "seconds": "training time (s)",
    "learning_rate": "learning rate",
    "grad_norm": "gradient norm",
    "batch_loss": "batch loss (nats)",
    "train_loss": "training loss (nats)",
    "val_loss": "validation loss (nats)",
}


def curves_view(loaded: Loaded) -> None:
    """The whole page below its header."""
    rows, training = loaded.checkpoint.loss_record, loaded.checkpoint.training
    best = best_validation(rows)
    if best is None:
        st.info("This checkpoint's record holds no validation loss.")
        return
    _figures(loaded, best.val_loss)
    frame = pd.DataFrame([asdict(row) for row in rows])
    comparable = training.data_sha256 == TINY_SHAKESPEARE_SHA256
    references = ORIGINAL if comparable else {}
    st.plotly_chart(
        charts.loss_curves(frame, asdict(best), references),
        height=460,
        config=charts.menu("microgpt-loss"),
        alt="Training and validation loss by step",
    )
    setting = training.config
    st.caption(
        "Lower is better; where the two curves part, the model has begun to learn its text by "
        f"heart. Both are estimates over {setting.eval_batches} random batches of "
        f"{setting.batch_size} windows without dropout, of the weights that would have been saved "
        "at that step; the thin line is the batch each step trained on, with dropout. "
        + ("The dotted lines are the original microGPT's final losses." if comparable else "")
    )
    with st.expander("The record as a table"):
        st.dataframe(frame.dropna(subset="val_loss"), hide_index=True, column_config=COLUMN_LABELS)
        st.download_button(
            "loss_record.csv",
            to_csv(rows),
            "loss_record.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def _figures(loaded: Loaded, best: float) -> None:
    training = loaded.checkpoint.training
    full = training.val_loss_full
    with st.container(horizontal=True):
        if full is not None:
            st.metric(
                "Validation loss",
                f"{full:.4f}",
                help="Nats per character over the whole validation split, of the saved weights.",
            )
            st.metric("Bits per character", f"{full / math.log(2):.3f}")
        st.metric("Best estimate", f"{best:.4f}", help="The lowest estimate of the record.")
        st.metric("Steps", f"{training.steps:,}")
        st.metric("Characters read", f"{training.tokens / 1e6:,.1f} M")
        st.metric("Training time", f"{training.seconds / 60:,.0f} min")

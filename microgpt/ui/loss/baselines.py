"""Losses of baselines and of larger and larger models, beside the checkpoint's."""

import math

import pandas as pd
import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.runs import ORIGINAL, last_estimate
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.ui import cache
from microgpt.ui.charts import loss as loss_charts
from microgpt.ui.charts.style import menu
from microgpt.ui.download import download

_PHASES = {
    "phase1": ("Attention and MLP", "3 blocks, 32 channels, a window of 8 characters"),
    "phase2": ("Residual connections", "each block adds to its input; MLP 4 times wider"),
    "phase3": ("LayerNorm in the blocks", "before attention and before the MLP"),
    "phase4": ("LayerNorm before the head", "the finished architecture, small"),
}


def baselines_view(checkpoint: Checkpoint) -> None:
    """Show the losses as a chart and a table, for a checkpoint that has baselines."""
    st.caption(
        "A baseline is a simple model to compare with. Each further model adds one idea; the "
        "chart shows how much the idea lowers the loss."
    )
    assert checkpoint.baselines is not None
    losses = checkpoint.baselines.val_loss
    rows = [
        ("Uniform", "every character is equally likely", losses["uniform"], math.nan),
        ("Unigram", "knows how often each character occurs", losses["unigram"], math.nan),
        ("Bigram", "predicts each character from the one before", losses["bigram"], math.nan),
    ]
    if checkpoint.training.data_sha256 == TINY_SHAKESPEARE_SHA256:
        runs = {run.name: last_estimate(run.loss_record)[1] for run in cache.kept_runs()}
        rows += [
            (model, change, runs.get(name, math.nan), ORIGINAL[name][1])
            for name, (model, change) in _PHASES.items()
        ]
        change = "384 channels, 6 heads, 6 blocks, a window of 256 characters"
        rows.append(("The original's final model", change, math.nan, ORIGINAL["seed"][1]))
    ours = last_estimate(checkpoint.loss_record)[1]
    rows.append(("This checkpoint", "as loaded", ours, math.nan))
    frame = pd.DataFrame(rows, columns=["model", "what changed", "ours", "original"])
    st.plotly_chart(
        loss_charts.baselines(frame),
        height=110 + 34 * len(frame),
        config=menu("microgpt-baselines"),
        alt="Validation loss of baselines and trained models",
    )
    st.caption(
        "Further left is better. Baselines are measured on the whole validation split, trained "
        "models on random batches of it, as in the original project."
    )
    st.dataframe(
        frame,
        hide_index=True,
        placeholder="",
        column_order=["model", "ours", "original", "what changed"],
        column_config={
            "ours": st.column_config.NumberColumn("ours (nats)", format="%.4f"),
            "original": st.column_config.NumberColumn("the original (nats)", format="%.4f"),
        },
    )
    download("baselines.csv", lambda: frame.to_csv(index=False), "baselines.csv")

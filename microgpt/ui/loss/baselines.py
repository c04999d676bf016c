"""The Baselines tab: losses of baselines and of small models beside the checkpoint's."""

import math

import pandas as pd
import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.runs import IDEAS, ORIGINAL, last_estimate
from microgpt.ui.cache.checkpoints import bundled_runs
from microgpt.ui.charts import loss as loss_charts
from microgpt.ui.charts.style import menu
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.loss.steps import BASELINES, steps_from
from microgpt.ui.next_steps import next_steps

_BASELINES = {
    "uniform": "every character is equally likely",
    "unigram": "knows only how often each character occurs",
    "bigram": "predicts each character only from the one before it",
}
_CHANGES = {
    "phase1": "3 layers, 32 channels, a window of 8 characters",
    "phase2": "each layer adds to its input; the MLP is 4 times as wide",
    "phase3": "before attention and before the MLP",
    "phase4": "the final architecture, but small",
}


def baselines_view(checkpoint: Checkpoint) -> None:
    """Show the losses as a chart and a table, for a checkpoint that has baselines."""
    assert checkpoint.baselines is not None
    losses = checkpoint.baselines.val_loss
    rows = [
        (name.capitalize(), description, losses[name], math.nan)
        for name, description in _BASELINES.items()
        if name in losses
    ]
    about = f"The first {len(rows)} models are baselines: simple models to compare with."
    if checkpoint.training.on_tiny_shakespeare:
        about += (
            " The next four are small GPTs. Each adds one idea to the previous one, and the chart "
            "shows how much the idea lowers the loss."
        )
        runs = {run.name: last_estimate(run.loss_record)[1] for run in bundled_runs()}
        rows += [
            (
                f"{idea[0].upper()}{idea[1:]}",
                _CHANGES[name],
                runs.get(name, math.nan),
                ORIGINAL[name][1],
            )
            for name, idea in IDEAS.items()
        ]
        change = "384 channels, 6 heads, 6 layers, a window of 256 characters"
        rows.append(("The original's final model", change, math.nan, ORIGINAL["seed"][1]))
    ours = last_estimate(checkpoint.loss_record)[1]
    measured = "Trained models are measured on random batches of it, as in the original project."
    if math.isnan(ours) and checkpoint.training.val_loss_full is not None:  # it was imported
        ours, measured = checkpoint.training.val_loss_full, "So is this checkpoint."
    rows.append(("This checkpoint", "shown in the sidebar", ours, math.nan))
    frame = pd.DataFrame(rows, columns=["model", "description", "ours", "original"])
    caption(about)
    st.plotly_chart(
        loss_charts.baselines(frame),
        height=110 + 34 * len(frame),
        config=menu("microgpt-baselines"),
        alt="Validation loss of baselines and trained models",
    )
    caption(
        "Further left is better. Baselines are measured on the whole validation split. " + measured
    )
    units = {
        "ours": "ours (nats per character)",
        "original": "the original (nats per character)",
    }
    table = frame.rename(columns=units)[["model", *units.values(), "description"]]
    table = table.dropna(axis="columns", how="all")  # the original trained on Tiny Shakespeare only
    number = st.column_config.NumberColumn(format="%.4f")
    st.dataframe(
        table,
        hide_index=True,
        placeholder="",
        column_config=dict.fromkeys(units.values(), number),
    )
    download("baselines.csv", lambda: to_csv(table), "baselines.csv")
    next_steps(*steps_from(BASELINES, checkpoint))

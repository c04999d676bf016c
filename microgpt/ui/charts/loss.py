"""Loss records in, plotly figures out; no streamlit and no torch here."""

import math
from itertools import cycle

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from microgpt.ui.charts.style import CALM, GREY, MARGIN, VIVID

TRAIN_COLOUR, VAL_COLOUR = CALM, VIVID
# What a record can be drawn over: its column, and the axis title.
ACROSS = {
    "steps": ("step", "step (optimiser updates)"),
    "characters": ("tokens", "characters read"),
    "training time": ("seconds", "training time (s), evaluations left out"),
}
_UNITS = "%{y:.4f} nats, %{customdata[0]:.3f} bits, perplexity %{customdata[1]:.2f}"
# Okabe and Ito, 2008: told apart by colour-blind readers.
_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}


def in_other_units(losses: pd.Series) -> np.ndarray:
    """Losses in nats as bits per character and perplexity, (N, 2)."""
    return np.stack([losses / math.log(2), np.exp(losses)], axis=1)


def smoothed(losses: pd.Series, weight: float) -> pd.Series:
    """The exponential moving average that keeps `weight` of itself at each value.

    It begins as a plain mean, so that the first values do not pull it for long.
    """
    return losses.ewm(alpha=1 - weight, adjust=True).mean()


def loss_curves(
    record: pd.DataFrame,
    best: dict[str, float] | None,
    references: dict[str, float],
    across: str = "steps",
    log_x: bool = False,
    log_y: bool = False,
    smoothing: float = 0.0,
) -> go.Figure:
    """Training and validation loss, with reference lines.

    record has the columns of a loss record, NaN where nothing was measured; best is one of its
    rows; references maps a label to a loss. Losses are nats per character. smoothing, from 0 to
    below 1, adds the moving average of the batch losses. On a logarithmic axis nothing is at 0.
    """
    x, title = ACROSS[across]
    figure = go.Figure()
    batches = record.dropna(subset="batch_loss")
    figure.add_scatter(
        x=batches[x],
        y=batches["batch_loss"],
        name="training batch",
        mode="lines",
        line={"color": TRAIN_COLOUR, "width": 1},
        opacity=0.3 if smoothing else 0.6,
        hoverinfo="skip",  # so that what is hovered is always a measured step
    )
    if smoothing:
        figure.add_scatter(
            x=batches[x],
            y=smoothed(batches["batch_loss"], smoothing),
            name="training batch, smoothed",
            mode="lines",
            line={"color": TRAIN_COLOUR, "width": 2, "dash": "dot"},
            hoverinfo="skip",
        )
    for column, name, colour in (
        ("train_loss", "training split", TRAIN_COLOUR),
        ("val_loss", "validation split", VAL_COLOUR),
    ):
        rows = record.dropna(subset=column)
        figure.add_scatter(
            x=rows[x],
            y=rows[column],
            customdata=in_other_units(rows[column]),
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 5},
            hovertemplate=_UNITS,
        )
    if best:
        figure.add_scatter(
            x=[best[x]],
            y=[best["val_loss"]],
            name=f"best validation, {best['val_loss']:.4f}",
            mode="markers",
            marker={
                "symbol": "star",
                "size": 14,
                "color": VAL_COLOUR,
                "line": {"width": 1, "color": "white"},
            },
            hoverinfo="skip",
        )
    for label, loss in references.items():
        figure.add_hline(
            loss,
            line={"dash": "dot", "width": 1.5, "color": GREY},
            annotation={"text": f"{label} {loss:.4f}", "font": {"size": 11}},
            annotation_position="bottom left",
        )
    _loss_axes(figure, title, log_x, log_y)
    figure.update_layout(hovermode="x unified")
    return figure


def _loss_axes(figure: go.Figure, title: str, log_x: bool, log_y: bool) -> None:
    figure.update_xaxes(title=title, type="log" if log_x else "linear")
    figure.update_yaxes(title="loss (nats per character)", type="log" if log_y else "linear")
    figure.update_layout(legend=_LEGEND, margin=MARGIN, dragmode=False)


def compared(
    records: dict[str, pd.DataFrame],
    across: str = "steps",
    log_x: bool = False,
    log_y: bool = False,
) -> go.Figure:
    """The losses of several runs: validation solid, training dotted, a colour a run."""
    x, title = ACROSS[across]
    figure = go.Figure()
    for (name, record), colour in zip(records.items(), cycle(_COLOURS), strict=False):
        for column, split, dash in (
            ("val_loss", "validation", "solid"),
            ("train_loss", "training", "dot"),
        ):
            rows = record.dropna(subset=column)
            figure.add_scatter(
                x=rows[x],
                y=rows[column],
                customdata=in_other_units(rows[column]),
                name=f"{name}, {split}",
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"size": 4},
                hovertemplate=_UNITS,
            )
    _loss_axes(figure, title, log_x, log_y)
    return figure


def training_details(record: pd.DataFrame, across: str = "steps", log_x: bool = False) -> go.Figure:
    """The gap between the two losses, the learning rate and the gradient norm, below each other."""
    x, title = ACROSS[across]
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    rows = record.assign(gap=record["val_loss"] - record["train_loss"])
    for at, (column, name, colour) in enumerate(
        (
            ("gap", "gap (nats)", VAL_COLOUR),
            ("learning_rate", "learning rate", TRAIN_COLOUR),
            ("grad_norm", "gradient norm", TRAIN_COLOUR),
        ),
        start=1,
    ):
        measured = rows.dropna(subset=column)
        figure.add_scatter(
            x=measured[x],
            y=measured[column],
            name=name,
            mode="lines",
            line={"color": colour, "width": 1.5},
            hovertemplate="%{y:.4g}",
            row=at,
            col=1,
        )
        figure.update_yaxes(title=name, row=at, col=1)
    figure.update_xaxes(type="log" if log_x else "linear")
    figure.update_xaxes(title=title, row=3, col=1)
    figure.update_layout(hovermode="x", showlegend=False, margin=MARGIN, dragmode=False)
    return figure


def baselines(models: pd.DataFrame) -> go.Figure:
    """Validation loss of baselines and of ever larger models, ours and the original's.

    models has the columns model, ours and original, NaN where nothing was measured; the highest
    loss comes first.
    """
    figure = go.Figure()
    for column, name, colour, symbol in (
        ("ours", "ours", VAL_COLOUR, "circle"),
        ("original", "the original", GREY, "circle-open"),
    ):
        measured = models.dropna(subset=column)
        figure.add_scatter(
            x=measured[column],
            y=measured["model"],
            customdata=in_other_units(measured[column]),
            name=name,
            mode="markers",
            marker={
                "size": 12,
                "color": colour,
                "symbol": symbol,
                "line": {"width": 2, "color": colour},
            },
            hovertemplate=_UNITS.replace("{y", "{x"),
        )
    figure.update_xaxes(title="validation loss (nats per character)")
    figure.update_yaxes(
        categoryorder="array", categoryarray=list(models["model"]), autorange="reversed"
    )
    # Below: above, a phone has no room for it beside the menu.
    legend = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0}
    figure.update_layout(legend=legend, margin=MARGIN, dragmode=False)
    return figure

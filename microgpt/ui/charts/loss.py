"""Plotly figures of loss records; imports neither streamlit nor torch."""

import math
from itertools import cycle

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from microgpt.ui.charts.style import BLUE, GREY, LEGEND, MARGIN, ORANGE

TRAIN_COLOUR, VAL_COLOUR = BLUE, ORANGE
# The choices of the x-axis, each with a column of the loss record and the title of the axis.
X_AXES = {
    "steps": ("step", "step (optimizer updates)"),
    "characters": ("tokens", "characters read"),
    "training time": ("seconds", "training time (s), without evaluations"),
}
# A line has at most two points for each part of the x-axis, about one for each pixel of a screen.
PARTS = 500
MAX_TABLE_ROWS = 1000
_UNITS = "%{y:.4f} nats per character (%{customdata[0]:.3f} bits), perplexity %{customdata[1]:.2f}"
# Safe for colour-blind readers (Okabe and Ito, 2008).
_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def in_other_units(losses: pd.Series) -> np.ndarray:
    """Losses in nats, converted to bits per character and perplexity: (N, 2)."""
    return np.stack([losses / math.log(2), np.exp(np.minimum(losses, 700))], axis=1)


def smoothed(losses: pd.Series, weight: float) -> pd.Series:
    """The exponential moving average, with bias correction; `weight` is that of earlier values."""
    return losses.ewm(alpha=1 - weight, adjust=True).mean()


def drawn(rows: pd.DataFrame, x: str, y: str, log_x: bool) -> pd.DataFrame:
    """The rows with a value in column y that its line needs: all, or at most about 2 x PARTS.

    For a longer line, each of PARTS equal parts of the x-axis keeps its lowest and its highest
    point, so that the line looks the same.
    """
    rows = rows.dropna(subset=y)
    if len(rows) <= 2 * PARTS:
        return rows
    at = rows[x]
    if log_x and (at > 0).any():
        at = np.log(at.clip(lower=at[at > 0].min()))
    parts = ((at - at.min()) / (at.max() - at.min() or 1.0) * PARTS).astype(int)
    groups = rows[y].groupby(parts)
    ends = rows.index[[0, -1]]
    return rows.loc[np.unique(np.concatenate([groups.idxmin(), groups.idxmax(), ends]))]


def evenly_spaced(rows: pd.DataFrame) -> pd.DataFrame:
    """At most MAX_TABLE_ROWS rows of a table, with the first and the last."""
    count = min(len(rows), MAX_TABLE_ROWS)
    return rows.iloc[np.linspace(0, len(rows) - 1, count).round().astype(int)]


def loss_curves(
    record: pd.DataFrame,
    best: dict[str, float] | None,
    references: dict[str, float],
    x_axis: str = "steps",
    log_x: bool = False,
    log_y: bool = False,
    smoothing: float = 0.0,
) -> go.Figure:
    """Draw training and validation loss, with reference lines.

    record: the columns of a loss record, NaN where nothing was measured. best: its row with the
    lowest validation loss, which is marked. references: losses by label, drawn as lines. All losses
    are in nats per character. smoothing: the weight of the moving average of the batch losses, from
    0 (none) to below 1. A logarithmic axis does not show the value 0.
    """
    x, title = X_AXES[x_axis]
    figure = go.Figure()
    batches = drawn(record, x, "batch_loss", log_x)
    figure.add_scatter(
        x=batches[x],
        y=batches["batch_loss"],
        name="training batch",
        mode="lines",
        line={"color": TRAIN_COLOUR, "width": 1},
        opacity=0.3 if smoothing else 0.6,
        hoverinfo="skip",  # hover shows evaluated steps only
    )
    if smoothing:
        measured = record.dropna(subset="batch_loss")
        smooth = measured.assign(batch_loss=smoothed(measured["batch_loss"], smoothing))
        smooth = drawn(smooth, x, "batch_loss", log_x)
        figure.add_scatter(
            x=smooth[x],
            y=smooth["batch_loss"],
            name="training batch, smoothed",
            mode="lines",
            line={"color": TRAIN_COLOUR, "width": 2, "dash": "dot"},
            hoverinfo="skip",
        )
    for column, name, colour in (
        ("train_loss", "training split", TRAIN_COLOUR),
        ("val_loss", "validation split", VAL_COLOUR),
    ):
        rows = drawn(record, x, column, log_x)
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
            name=f"best estimate, {best['val_loss']:.4f}",
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
    figure.update_layout(legend=LEGEND, margin=MARGIN, dragmode=False)


def comparison(
    records: dict[str, pd.DataFrame],
    x_axis: str = "steps",
    log_x: bool = False,
    log_y: bool = False,
) -> go.Figure:
    """Draw the losses of several runs, one colour per run: validation solid, training dotted."""
    x, title = X_AXES[x_axis]
    figure = go.Figure()
    for (name, record), colour in zip(records.items(), cycle(_COLOURS), strict=False):
        for column, split, dash in (
            ("val_loss", "validation", "solid"),
            ("train_loss", "training", "dot"),
        ):
            rows = drawn(record, x, column, log_x)
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


def training_details(record: pd.DataFrame, x_axis: str = "steps", log_x: bool = False) -> go.Figure:
    """Draw three charts, one below the other: loss gap, learning rate and gradient norm."""
    x, title = X_AXES[x_axis]
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    rows = record.assign(gap=record["val_loss"] - record["train_loss"])
    for at, (column, name, colour) in enumerate(
        (
            ("gap", "gap (nats per character)", VAL_COLOUR),
            ("learning_rate", "learning rate", TRAIN_COLOUR),
            ("grad_norm", "gradient norm", TRAIN_COLOUR),
        ),
        start=1,
    ):
        measured = drawn(rows, x, column, log_x)
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
        figure.update_yaxes(title=name.replace(" (", "<br>("), row=at, col=1)
    figure.update_xaxes(type="log" if log_x else "linear")
    figure.update_xaxes(title=title, row=3, col=1)
    figure.update_layout(hovermode="x", showlegend=False, margin=MARGIN, dragmode=False)
    return figure


def baselines(models: pd.DataFrame) -> go.Figure:
    """Draw the validation losses of baselines and trained models, ours and the original's.

    models: the columns model, ours and original, one row for each model, from top to bottom. The
    losses are in nats per character, NaN where nothing was measured.
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
    figure.update_layout(legend=LEGEND, margin=MARGIN, dragmode=False)
    return figure

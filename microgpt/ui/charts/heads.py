"""Plotly figures of what was measured on heads; imports neither streamlit nor torch."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from microgpt.ui.charts.style import ATTENTION_SCALE, BLUE, MARGIN


def head_values(frame: pd.DataFrame, column: str) -> go.Figure:
    """Draw a grid with a number for each head.

    frame: the columns `layer` and `head`, from 1, and `column`, which has the numbers.
    """
    grid = frame.pivot(index="layer", columns="head", values=column)
    figure = go.Figure(
        go.Heatmap(
            z=grid,
            x=[f"H{head}" for head in grid.columns],
            y=[f"L{layer}" for layer in grid.index],
            colorscale=ATTENTION_SCALE,
            colorbar={"title": {"text": column, "side": "right"}, "thickness": 10},
            hovertemplate="%{y} %{x}: %{z:.3g}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", title="layer")
    figure.update_xaxes(title="head")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def shares_by_class(names: Sequence[str], values: Sequence[float]) -> go.Figure:
    """Draw the mean share of attention to each class of character as bars."""
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=list(names),
            orientation="h",
            marker_color=BLUE,
            hovertemplate="%{y}: %{x:.3g}<extra></extra>",
        )
    )
    figure.update_xaxes(title="attention (share)", rangemode="tozero")
    figure.update_yaxes(title="class of character", autorange="reversed")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def shares_by_distance(values: Sequence[float]) -> go.Figure:
    """Draw the mean share of attention at each distance, from 0 characters back, as bars."""
    figure = go.Figure(
        go.Bar(
            x=list(range(len(values))),
            y=list(values),
            marker_color=BLUE,
            hovertemplate="%{x} characters back: %{y:.3g}<extra></extra>",
        )
    )
    figure.update_xaxes(title="distance (characters back)")
    figure.update_yaxes(title="attention (share)", rangemode="tozero")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure

"""Plotly figures of the effects of a neuron; imports neither streamlit nor torch."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from microgpt.ui.charts.style import ABOVE_0, BELOW_0, CHARACTER_FONT, MARGIN

MAX_SIDE = 8  # characters on each side of the chart


def promoted(effects: np.ndarray, labels: Sequence[str]) -> go.Figure:
    """Draw what is added to the logits (V,) of the characters that change most, up and down."""
    order = np.argsort(-effects, kind="stable")
    up = [i for i in order[:MAX_SIDE] if effects[i] > 0]
    down = [i for i in order[-MAX_SIDE:] if effects[i] < 0]
    figure = go.Figure()
    for name, ids, colour, first in (
        ("promoted", up, ABOVE_0, 0),
        ("suppressed", down, BELOW_0, len(up)),
    ):
        figure.add_bar(
            x=list(range(first, first + len(ids))),
            y=effects[ids],
            customdata=[labels[i] for i in ids],
            name=name,
            marker_color=colour,
            hovertemplate="%{customdata}: %{y:+.3g}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(
        title="next character",
        tickvals=list(range(len(up) + len(down))),
        ticktext=[labels[i] for i in (*up, *down)],
        tickangle=0,
        tickfont={**CHARACTER_FONT, "size": 12},
    )
    figure.update_yaxes(title="added to the logit")
    figure.update_layout(
        margin=MARGIN,
        dragmode=False,
        bargap=0.25,
        showlegend=True,
        legend={"orientation": "h", "y": 1, "x": 0, "xanchor": "left", "yanchor": "bottom"},
    )
    return figure

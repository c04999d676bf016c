"""Plotly figures of a text's probabilities and losses; imports neither streamlit nor torch."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from microgpt.ui.charts.style import (
    ATTENTION_SCALE,
    CALM,
    GREY,
    MARGIN,
    MOST_ACROSS,
    VIVID,
    visible,
)


def distribution(
    before: np.ndarray,
    after: np.ndarray,
    labels: Sequence[str],
    taken: int | None = None,
    changed: str = "after the settings",
) -> go.Figure:
    """Draw probabilities (V,) of the next character before and after a change, likeliest first.

    taken: the id of the character in the text, drawn in another colour. changed: the legend of
    `after`.
    """
    order = np.argsort(-before, kind="stable")
    names = [labels[i] for i in order]
    ranks = list(range(1, len(order) + 1))
    hover = "%{customdata} %{y:.3g}<extra>%{fullData.name}</extra>"
    figure = go.Figure()
    is_taken = order == taken
    for name, colour, shown in ((changed, CALM, ~is_taken), ("in the text", VIVID, is_taken)):
        if shown.any():
            figure.add_bar(
                x=np.array(ranks)[shown],
                y=after[order][shown],
                customdata=np.array(names)[shown],
                name=name,
                marker_color=colour,
                hovertemplate=hover,
            )
    figure.add_scatter(
        x=ranks,
        y=before[order],
        customdata=names,
        name="model",
        mode="markers",
        marker={"symbol": "line-ew", "size": 9, "line": {"width": 2, "color": GREY}},
        hovertemplate=hover,
    )
    # Labels in two rows, so that all of them fit on a phone.
    every = -(-len(names) // (2 * MOST_ACROSS))
    figure.update_xaxes(
        title="character, likeliest first",
        tickvals=ranks[::every],
        ticktext=["<br>" * (i % 2) + name for i, name in enumerate(names[::every])],
        tickangle=0,
        tickfont={"family": "monospace", "size": 10},
    )
    figure.update_yaxes(title="probability", rangemode="tozero")
    figure.update_layout(
        margin=MARGIN,
        dragmode=False,
        barmode="overlay",
        bargap=0.25,
        legend={"orientation": "h", "y": 1, "x": 1, "xanchor": "right", "yanchor": "top"},
    )
    return figure


def loss_by_context(
    lengths: Sequence[int], loss: np.ndarray, baselines: dict[str, float]
) -> go.Figure:
    """Draw the mean loss (lengths,) in nats by context length, with a line for each baseline."""
    figure = go.Figure(
        go.Scatter(
            x=list(lengths),
            y=loss,
            mode="lines+markers",
            line={"color": CALM},
            hovertemplate="context of %{x} characters: %{y:.3f} nats<extra></extra>",
        )
    )
    # Labels alternate between the two ends, so that close lines can be read.
    for i, (name, value) in enumerate(sorted(baselines.items(), key=lambda item: item[1])):
        figure.add_hline(
            y=value,
            line={"color": GREY, "dash": "dot", "width": 1},
            annotation={"text": f"{name}, {value:.2f}", "font": {"color": GREY, "size": 11}},
            annotation_position=f"top {('right', 'left')[i % 2]}",
        )
    figure.update_xaxes(
        title="context length (characters)", type="log", tickvals=list(lengths), ticktext=lengths
    )
    figure.update_yaxes(title="loss (nats per character)", rangemode="tozero")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def probability_by_context(lengths: Sequence[int], surprisal: np.ndarray, text: str) -> go.Figure:
    """Draw the probability of each character of a text by context length.

    surprisal: (lengths, characters), nats.
    """
    labels = visible(text)
    figure = go.Figure(
        go.Heatmap(
            z=np.exp(-surprisal),
            x=list(range(len(text))),
            y=[str(n) for n in lengths],
            customdata=np.broadcast_to(np.array(labels), surprisal.shape),
            zmin=0,
            zmax=1,
            colorscale=ATTENTION_SCALE,
            colorbar={"title": {"text": "probability", "side": "right"}, "thickness": 10},
            hovertemplate="%{customdata} after %{y} characters: %{z:.3g}<extra></extra>",
        )
    )
    figure.update_xaxes(
        title="last characters of the text",
        tickvals=list(range(len(text))),
        ticktext=labels,
        tickangle=0,
        tickfont={"family": "monospace", "size": 10},
    )
    figure.update_yaxes(title="context length", type="category", autorange="reversed")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def context_table(lengths: Sequence[int], surprisal: np.ndarray, text: str) -> pd.DataFrame:
    """One row for each character, one column of probabilities for each context length."""
    columns = {
        f"after {n}": np.exp(-row).round(6) for n, row in zip(lengths, surprisal, strict=True)
    }
    return pd.DataFrame({"character": visible(text), **columns})

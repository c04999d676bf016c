"""A text's probabilities and losses in, plotly figures out; no streamlit and no torch here."""

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
    changed: str = "with the sliders",
) -> go.Figure:
    """Probabilities (V,) of the next character: the model's own, and what they are changed to.

    Likeliest first; `taken` is the id of the character that stands there, in a colour of its own.
    """
    order = np.argsort(-before, kind="stable")
    names = [labels[i] for i in order]
    ranks = list(range(1, len(order) + 1))
    hover = "%{customdata} %{y:.3g}<extra>%{fullData.name}</extra>"
    figure = go.Figure()
    is_taken = order == taken
    for name, colour, shown in ((changed, CALM, ~is_taken), ("the text's own", VIVID, is_taken)):
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
        name="the model's own",
        mode="markers",
        marker={"symbol": "line-ew", "size": 9, "line": {"width": 2, "color": GREY}},
        hovertemplate=hover,
    )
    # In two rows, so that a phone has room for them all.
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
    """Mean loss (lengths,) in nats over how many characters were seen, with reference lines."""
    figure = go.Figure(
        go.Scatter(
            x=list(lengths),
            y=loss,
            mode="lines+markers",
            line={"color": CALM},
            hovertemplate="%{x} characters seen: %{y:.3f} nats<extra></extra>",
        )
    )
    # Two that lie close together are named at either end.
    for i, (name, value) in enumerate(sorted(baselines.items(), key=lambda item: item[1])):
        figure.add_hline(
            y=value,
            line={"color": GREY, "dash": "dot", "width": 1},
            annotation={"text": f"{name}, {value:.2f}", "font": {"color": GREY, "size": 11}},
            annotation_position=f"top {('right', 'left')[i % 2]}",
        )
    figure.update_xaxes(
        title="characters seen before each", type="log", tickvals=list(lengths), ticktext=lengths
    )
    figure.update_yaxes(title="loss (nats per character)", rangemode="tozero")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def probability_by_context(lengths: Sequence[int], surprise: np.ndarray, text: str) -> go.Figure:
    """The probability of each character of a text, by how many before it were seen.

    surprise: (lengths, characters), -log p in nats.
    """
    labels = visible(text)
    figure = go.Figure(
        go.Heatmap(
            z=np.exp(-surprise),
            x=list(range(len(text))),
            y=[str(n) for n in lengths],
            customdata=np.broadcast_to(np.array(labels), surprise.shape),
            zmin=0,
            zmax=1,
            colorscale=ATTENTION_SCALE,
            colorbar={"title": {"text": "probability", "side": "right"}, "thickness": 10},
            hovertemplate="%{customdata} after %{y} characters: %{z:.3g}<extra></extra>",
        )
    )
    figure.update_xaxes(
        title="the text's last characters",
        tickvals=list(range(len(text))),
        ticktext=labels,
        tickangle=0,
        tickfont={"family": "monospace", "size": 10},
    )
    figure.update_yaxes(title="characters seen", type="category", autorange="reversed")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def context_table(lengths: Sequence[int], surprise: np.ndarray, text: str) -> pd.DataFrame:
    """A row a character, a column of probabilities a length of context."""
    columns = {
        f"after {n}": np.exp(-row).round(6) for n, row in zip(lengths, surprise, strict=True)
    }
    return pd.DataFrame({"character": visible(text), **columns})

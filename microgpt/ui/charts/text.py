"""Plotly figures of the predictions over a text; imports neither streamlit nor torch."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from microgpt.ui.charts.style import (
    ATTENTION_SCALE,
    BLUE,
    CHARACTER_FONT,
    GREY,
    MARGIN,
    MAX_LABELS_ACROSS,
    ORANGE,
    visible,
)

MAX_BARS = 128  # characters of a distribution


def distribution(
    before: np.ndarray,
    after: np.ndarray,
    labels: Sequence[str],
    actual: int | None = None,
    names: tuple[str, str] = ("model", "after the settings"),
) -> go.Figure:
    """Draw probabilities (V,) of the next character before and after a change, likeliest first.

    Of a large vocabulary, the MAX_BARS likeliest are drawn, and the actual one. actual: the id of
    the character that the text has, drawn in another colour. names: of `before` and `after` in the
    legend.
    """
    order = np.argsort(-before, kind="stable")
    order = order[(np.arange(len(order)) < MAX_BARS) | (order == actual)]
    ranked = [labels[i] for i in order]
    ranks = list(range(1, len(order) + 1))
    hover = "%{customdata} %{y:.3g}<extra>%{fullData.name}</extra>"
    figure = go.Figure()
    is_actual = order == actual
    for name, colour, shown in ((names[1], BLUE, ~is_actual), ("in the text", ORANGE, is_actual)):
        if shown.any():
            figure.add_bar(
                x=np.array(ranks)[shown],
                y=after[order][shown],
                customdata=np.array(ranked)[shown],
                name=name,
                marker_color=colour,
                hovertemplate=hover,
            )
    figure.add_scatter(
        x=ranks,
        y=before[order],
        customdata=ranked,
        name=names[0],
        mode="markers",
        marker={"symbol": "line-ew", "size": 9, "line": {"width": 2, "color": GREY}},
        hovertemplate=hover,
    )
    # Labels in two rows, so that all of them fit on a phone.
    every = -(-len(ranked) // (2 * MAX_LABELS_ACROSS))
    figure.update_xaxes(
        title="character, likeliest first",
        tickvals=ranks[::every],
        ticktext=["<br>" * (i % 2) + label for i, label in enumerate(ranked[::every])],
        tickangle=0,
        tickfont=CHARACTER_FONT,
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


def bars_shown(vocab_size: int) -> str:
    """What distribution leaves out for this vocabulary, as a sentence after a space; or ""."""
    if vocab_size <= MAX_BARS:
        return ""
    return f" The chart has the {MAX_BARS} likeliest characters, the table all {vocab_size:,}."


def loss_by_context(
    lengths: Sequence[int], loss: np.ndarray, baselines: dict[str, float]
) -> go.Figure:
    """Draw the mean loss (lengths,) in nats by context length, with a line for each baseline."""
    figure = go.Figure(
        go.Scatter(
            x=list(lengths),
            y=loss,
            mode="lines+markers",
            line={"color": BLUE},
            hovertemplate="context of %{x} characters: %{y:.3f} nats<extra></extra>",
        )
    )
    # The labels are left and right in turn, so that those of close lines do not overlap.
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
        tickfont=CHARACTER_FONT,
    )
    figure.update_yaxes(title="context length", type="category", autorange="reversed")
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def context_table(lengths: Sequence[int], surprisal: np.ndarray, text: str) -> pd.DataFrame:
    """Probabilities with one row for each character and one column for each context length."""
    columns = {
        f"after {n}": np.exp(-row).round(6) for n, row in zip(lengths, surprisal, strict=True)
    }
    return pd.DataFrame({"character": visible(text), **columns})

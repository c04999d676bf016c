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
    LEGEND,
    MARGIN,
    ORANGE,
    visible,
)

MAX_BARS = 15  # characters of a distribution with a bar of their own


def distribution(
    before: np.ndarray,
    after: np.ndarray | None,
    labels: Sequence[str],
    actual: int | None = None,
    names: tuple[str, str] = ("model", "after the settings"),
) -> go.Figure:
    """Draw probabilities (V,) of the next character before and after a change, likeliest first.

    The MAX_BARS likeliest characters and the actual one have bars; the last bar is the sum of all
    others. after: None to draw only `before`. actual: the id of the character that the text has,
    drawn in another colour. names: of `before` and `after` in the legend.
    """
    order = np.argsort(-before, kind="stable")
    own = (np.arange(len(order)) < _own_bars(len(order))) | (order == actual)
    ids, others = order[own], order[~own]
    ranked = [labels[i] for i in ids]
    bars = before if after is None else after
    heights = {"bars": bars[ids].tolist(), "dashes": before[ids].tolist()}
    ticks = _in_rows(ranked)
    if len(others):
        heights["bars"].append(bars[others].sum())
        heights["dashes"].append(before[others].sum())
        ranked.append(f"{len(others):,} others")
        ticks.append(f"<br>{'<br>' * ('<br>' in ''.join(ticks))}{ranked[-1]}")
    at = list(range(1, len(ranked) + 1))
    hover = "%{customdata} %{y:.3g}<extra>%{fullData.name}</extra>"
    figure = go.Figure()
    is_actual = np.array([i == actual for i in ids] + [False] * bool(len(others)))
    bar_name = names[0] if after is None else names[1]
    for name, colour, shown in ((bar_name, BLUE, ~is_actual), ("in the text", ORANGE, is_actual)):
        if shown.any():
            figure.add_bar(
                x=np.array(at)[shown],
                y=np.array(heights["bars"])[shown],
                customdata=np.array(ranked)[shown],
                name=name,
                marker_color=colour,
                hovertemplate=hover,
            )
    if after is not None:
        figure.add_scatter(
            x=at,
            y=heights["dashes"],
            customdata=ranked,
            name=names[0],
            mode="markers",
            marker={"symbol": "line-ew", "size": 13, "line": {"width": 2, "color": GREY}},
            hovertemplate=hover,
        )
    figure.update_xaxes(
        title="character, likeliest first",
        tickvals=at,
        ticktext=ticks,
        tickangle=0,
        tickfont={**CHARACTER_FONT, "size": 12},
    )
    figure.update_yaxes(title="probability", rangemode="tozero")
    figure.update_layout(
        margin=MARGIN,
        dragmode=False,
        barmode="overlay",
        bargap=0.25,
        showlegend=True,
        legend=LEGEND,
    )
    return figure


def _own_bars(vocab_size: int) -> int:
    """How many of the likeliest characters have a bar: no bar stands for one other character."""
    return vocab_size if vocab_size <= MAX_BARS + 1 else MAX_BARS


def _in_rows(labels: Sequence[str]) -> list[str]:
    """Labels below an axis: in two rows if some of them are so long that they would overlap."""
    rows = 2 if max(map(len, labels)) > 2 else 1
    return ["<br>" * (i % rows) + label for i, label in enumerate(labels)]


def bars_shown(vocab_size: int) -> str:
    """What the last bar of a distribution stands for, as a sentence after a space; or ""."""
    if _own_bars(vocab_size) == vocab_size:
        return ""
    return " The last bar is the sum of all other characters; the table lists them."


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
            hovertemplate="context of %{x} characters: %{y:.3f} nats per character<extra></extra>",
        )
    )
    # The labels alternate between left and right, so that those of close lines do not overlap.
    for i, (name, value) in enumerate(sorted(baselines.items(), key=lambda item: item[1])):
        figure.add_hline(
            y=value,
            line={"color": GREY, "dash": "dot", "width": 1},
            annotation={"text": f"{name}, {value:.2f}", "font": {"size": 12}},
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
        f"after {n}": np.exp(-row).round(4) for n, row in zip(lengths, surprisal, strict=True)
    }
    return pd.DataFrame({"character": visible(text), **columns})

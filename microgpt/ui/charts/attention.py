"""Plotly figures of attention, and one image of all maps; imports neither streamlit nor torch."""

import io
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image
from plotly.subplots import make_subplots

from microgpt.ui.charts.style import (
    ATTENTION_SCALE,
    BLUE,
    CHARACTER_FONT,
    MARGIN,
    MAX_LABELS_ACROSS,
    ORANGE,
    palette,
    position_names,
    visible,
)

# The colour scales of a map, each with the title of its colour bar.
MAP_SCALES = {
    "linear": "attention weight",
    "log": "attention weight (logarithmic)",
    "row": "attention weight / largest of the row",
}
_LOG_SCALE_MIN = 1e-3
# The largest width of a map in the overview; on the screen it is about as wide.
_OVERVIEW_PIXELS = 64
# The most characters that fit beside a map on a laptop, and the most position numbers on an axis.
_MAX_LABELS_DOWN, _MAX_NUMBERS = 36, 11
_STEPS = (5, 10, 20, 25, 50, 100, 200, 500)  # the last is for the longest allowed window
_TRANSPARENT = 255
_PALETTE = bytes(chain(*palette(_TRANSPARENT), [0, 0, 0]))  # the last colour is transparent


def attention_overview(weights: np.ndarray) -> bytes:
    """Draw maps (rows, columns, T, T) as a grid in one PNG; masked cells are transparent.

    If the text is long, a pixel shows the largest of several weights.
    """
    rows, columns, size, _ = weights.shape
    step = -(-size // _OVERVIEW_PIXELS)
    pixels = -(-size // step)
    spare = (0, pixels * step - size)
    padded = np.pad(weights, ((0, 0), (0, 0), spare, spare))
    # Two maxima, one per axis, take a third of the time of one over both axes.
    blocks = padded.reshape(rows, columns, pixels, step, -1).max(axis=3)
    blocks = blocks.reshape(rows, columns, pixels, pixels, step).max(axis=4)
    levels = np.round(np.clip(blocks, 0, 1) * 254).astype(np.uint8)
    seen = np.tril(np.ones((pixels, pixels), dtype=bool))
    tiles = np.where(seen, levels, np.uint8(_TRANSPARENT))  # (rows, columns, pixels, pixels)
    image = Image.fromarray(tiles.swapaxes(1, 2).reshape(rows * pixels, columns * pixels), "L")
    image.putpalette(_PALETTE)
    out = io.BytesIO()
    image.save(out, "PNG", transparency=_TRANSPARENT)
    return out.getvalue()


def _axis(names: Sequence[str], labels: Sequence[str], most: int) -> dict[str, object]:
    # A long axis has position numbers, because every n-th character would look like a word.
    every = 1
    ticks: Sequence[str] | Sequence[int] = labels
    if len(names) > most:
        every = next(step for step in _STEPS if len(names) <= _MAX_NUMBERS * step)
        ticks = list(range(every, len(names) + 1, every))
    return {
        "type": "category",
        "tickmode": "array",
        "tickvals": names[every - 1 :: every],
        "ticktext": ticks,
        "tickangle": 0,
        "tickfont": CHARACTER_FONT,
        "showgrid": False,
        "zeroline": False,
    }


class _Row(list[float]):
    """A row of a map. Plotly copies a figure several times, number by number, which is slow."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Row":
        return self  # nothing changes it


def _lower_rows(cells: np.ndarray) -> np.ndarray:
    """The rows of a (T, T) array as lists up to the diagonal; a chart leaves the rest blank."""
    rows = np.empty(len(cells), dtype=object)
    rows[:] = [_Row(row[: at + 1]) for at, row in enumerate(cells.tolist())]
    return rows


def _three_digits(weights: np.ndarray) -> np.ndarray:
    """Weights rounded to three significant digits, which take few bytes as JSON."""
    exact = weights.astype(np.float64)
    # Powers of ten up to 22 are exact, so the quotient has no further digits.
    units = 10.0 ** (2 - np.floor(np.log10(np.maximum(exact, 1e-20))))
    return np.round(exact * units) / units


def shades(weights: np.ndarray, scale: str) -> np.ndarray:
    """The positions of attention weights (…, T, T) on the colour scale, from 0 to 1.

    scale is one of MAP_SCALES.
    """
    if scale == "log":
        return 1 - np.log10(np.maximum(weights, _LOG_SCALE_MIN)) / np.log10(_LOG_SCALE_MIN)
    if scale == "row":
        return weights / weights.max(axis=-1, keepdims=True)
    return weights


def scale_ends(scale: str) -> tuple[str, str]:
    """The labels of both ends of a colour scale, one of MAP_SCALES."""
    return f"≤ {_LOG_SCALE_MIN:g}" if scale == "log" else "0", "1"


def attention_map(weights: np.ndarray, text: str, scale: str = "linear") -> go.Figure:
    """Draw one head's map (T, T) over a text of T characters; masked cells are blank.

    scale is one of MAP_SCALES. Hover always shows the weight, to three digits.
    """
    labels = visible(text)
    names = position_names(text)
    rounded = _lower_rows(_three_digits(weights))
    cells, bar = {"z": rounded}, {}
    if scale != "linear":
        # Three decimals are enough: a screen has 256 levels of a colour.
        shade = shades(weights, scale).astype(np.float64).round(3)
        cells = {"z": _lower_rows(shade), "customdata": rounded}
    if scale == "log":
        low, high = scale_ends(scale)
        bar = {"tickvals": [0, 1 / 3, 2 / 3, 1], "ticktext": [low, "0.01", "0.1", high]}
    near = {"standoff": 6}  # a map needs the space
    # All in one call: each call of update_… copies and checks the figure.
    return go.Figure(
        go.Heatmap(
            **cells,
            x=names,
            y=names,
            zmin=0,
            zmax=1,
            colorscale=ATTENTION_SCALE,
            hoverongaps=False,
            showscale=len(text) > 1,  # one cell leaves no corner, and its weight is 1
            # In the corner whose cells are masked.
            colorbar={
                "title": {"text": MAP_SCALES[scale], "side": "top", "font": {"size": 12}},
                "tickfont": {"size": 11},
                "orientation": "h",
                "thickness": 10,
                "len": 0.4,
                "x": 1,
                "xanchor": "right",
                "y": 1,
                "yanchor": "top",
                **bar,
            },
            hovertemplate="%{y} attends to %{x}: "
            f"%{{{'z' if scale == 'linear' else 'customdata'}:.3g}}<extra></extra>",
        ),
        {
            "xaxis": {
                "title": {"text": "key (attended to)", **near},
                "side": "top",
                "ticks": "",
                **_axis(names, labels, MAX_LABELS_ACROSS),
            },
            "yaxis": {
                "title": {"text": "query (attends)", **near},
                "autorange": "reversed",
                "ticks": "",
                **_axis(names, labels, _MAX_LABELS_DOWN),
            },
            # The menu is beside the map, because above the map it would need a line of its own.
            "margin": {"l": 8, "r": 36, "t": 8, "b": 8},
            "modebar": {"orientation": "v"},
            "dragmode": False,
        },
    )


# The steps from a score to a contribution, each with its unit.
STAGES = {
    "q·k": "score",
    "scaled": "score / √head size",
    "softmax": "attention weight",
    "contribution": "vector length",
}


def stages(frame: pd.DataFrame, text: str) -> go.Figure:
    """Draw the stages of attention for one query: a chart for each stage, a bar for each key.

    frame: a column for each of STAGES, and a row for each character of the text, the keys.
    """
    names = position_names(text)
    figure = make_subplots(rows=len(STAGES), shared_xaxes=True, vertical_spacing=0.06)
    for row, (name, unit) in enumerate(STAGES.items(), start=1):
        figure.add_bar(
            x=names,
            y=frame[name],
            marker_color=ORANGE if name == "softmax" else BLUE,
            hovertemplate=f"%{{x}}: %{{y:.3g}}<extra>{name}</extra>",
            row=row,
            col=1,
        )
        size = "font-size: 11px"
        figure.update_yaxes(title=f'{name}<br><span style="{size}">{unit}</span>', row=row, col=1)
    figure.update_xaxes(**_axis(names, visible(text), MAX_LABELS_ACROSS))
    figure.update_xaxes(title="key (attended to)", row=len(STAGES), col=1)
    figure.update_layout(margin=MARGIN, dragmode=False, showlegend=False, bargap=0.2)
    return figure

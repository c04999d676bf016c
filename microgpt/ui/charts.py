"""Arrays and data frames in, plotly figures and images out; no streamlit and no torch here."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.colors
import plotly.graph_objects as go
from PIL import Image

# Perceptually uniform, safe for colour-blind readers, monotone in grey.
ATTENTION_SCALE = "Viridis"
_VISIBLE = {"\n": "⏎", " ": "␣", "\t": "⇥"}
# Labels that fit side by side in the width, and below each other in the height, of a chart.
_MOST_ACROSS, _MOST_DOWN = 48, 40
MARGIN = {"l": 8, "r": 8, "t": 36, "b": 8}  # the menu has its place at the top
_ZOOM = ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "select2d", "lasso2d"]


def menu(file_name: str) -> dict[str, object]:
    """The options of a chart's own menu: take it home as SVG; a swipe scrolls the page."""
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": _ZOOM,
        "toImageButtonOptions": {"format": "svg", "filename": file_name},
    }


def visible(text: str) -> list[str]:
    """The characters of a text, those that cannot be seen replaced by a sign."""
    return [_VISIBLE.get(char, char) for char in text]


def _lookup_table() -> np.ndarray:
    levels = plotly.colors.sample_colorscale(ATTENTION_SCALE, np.linspace(0, 1, 255).tolist())
    return np.array([plotly.colors.unlabel_rgb(level) for level in levels]).round().astype(np.uint8)


_PALETTE = _lookup_table().tobytes() + bytes(3)  # 255 levels, and one that is not seen
_TRANSPARENT = 255


def palette() -> list[list[int]]:
    """The attention scale's colours [red, green, blue] for 256 levels from 0 to 1."""
    levels = plotly.colors.sample_colorscale(ATTENTION_SCALE, np.linspace(0, 1, 256).tolist())
    return [[round(part) for part in plotly.colors.unlabel_rgb(level)] for level in levels]


def attention_thumbnail(weights: np.ndarray) -> str:
    """A (T, T) attention map as a PNG data URL; cells after the diagonal are transparent."""
    levels = np.round(np.clip(weights, 0, 1) * 254).astype(np.uint8)
    seen = np.tril(np.ones_like(levels, dtype=bool))
    image = Image.fromarray(np.where(seen, levels, np.uint8(_TRANSPARENT)), "L")
    image.putpalette(_PALETTE)
    out = io.BytesIO()
    image.save(out, "PNG", transparency=_TRANSPARENT)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def _axis(names: Sequence[str], labels: Sequence[str], most: int) -> dict[str, object]:
    every = -(-len(names) // most)
    return {
        "type": "category",
        "tickmode": "array",
        "tickvals": names[::every],
        # Characters that are not side by side would read as a word that is not there.
        "ticktext": labels if every == 1 else list(range(1, len(names) + 1, every)),
        "tickangle": 0,
        "tickfont": {"family": "monospace", "size": 10},
        "showgrid": False,
        "zeroline": False,
    }


def attention_map(weights: np.ndarray, text: str) -> go.Figure:
    """One head's (T, T) map over a text of T characters; cells after the diagonal are blank."""
    labels = visible(text)
    names = [f"{at + 1} {label}" for at, label in enumerate(labels)]
    seen = np.where(np.tril(np.ones_like(weights, dtype=bool)), weights, np.nan)
    figure = go.Figure(
        go.Heatmap(
            x=names,
            y=names,
            z=seen.astype(np.float32),
            zmin=0,
            zmax=1,
            colorscale=ATTENTION_SCALE,
            hoverongaps=False,
            colorbar={
                "title": {"text": "attention (share of the row)", "side": "bottom"},
                "orientation": "h",
                "thickness": 10,
                "y": -0.02,
                "yanchor": "top",
            },
            hovertemplate="%{y} looks at %{x}: %{z:.3g}<extra></extra>",
        )
    )
    figure.update_xaxes(
        title="looked at (key position)", side="top", **_axis(names, labels, _MOST_ACROSS)
    )
    figure.update_yaxes(
        title="looking (query position)",
        autorange="reversed",
        **_axis(names, labels, _MOST_DOWN),
    )
    figure.update_layout(margin=MARGIN, dragmode=False)
    return figure


def attention_csv(weights: np.ndarray, text: str) -> str:
    """One head's (T, T) map as CSV: a row for each pair of positions, query first, from 1."""
    query, key = np.tril_indices(len(weights))
    labels = np.array(visible(text))
    frame = pd.DataFrame(
        {
            "query_position": query + 1,
            "query_character": labels[query],
            "key_position": key + 1,
            "key_character": labels[key],
            "attention": weights[query, key],
        }
    )
    return frame.to_csv(index=False, float_format="%.6g")

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
TRAIN_COLOUR, VAL_COLOUR = "#2a78a8", "#d2691e"
_VISIBLE = {"\n": "⏎", " ": "␣", "\t": "⇥"}
# Labels that fit side by side in the width, and below each other in the height, of a chart.
_MOST_ACROSS, _MOST_DOWN = 48, 40
_MARGIN = {"l": 8, "r": 8, "t": 36, "b": 8}  # the menu has its place at the top
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
    figure.update_layout(margin=_MARGIN, dragmode=False)
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


def loss_curves(
    record: pd.DataFrame, best: dict[str, float] | None, references: dict[str, float]
) -> go.Figure:
    """Training and validation loss by step, with reference lines.

    record has the columns step, batch_loss, train_loss, val_loss, NaN where nothing was measured;
    best has step and val_loss; references maps a label to a loss. Losses are nats per character.
    """
    figure = go.Figure()
    batches = record.dropna(subset="batch_loss")
    figure.add_scatter(
        x=batches["step"],
        y=batches["batch_loss"],
        name="training batch",
        mode="lines",
        line={"color": TRAIN_COLOUR, "width": 1},
        opacity=0.6,
        hoverinfo="skip",  # so that what is hovered is always a measured step
    )
    for column, name, colour in (
        ("train_loss", "training split", TRAIN_COLOUR),
        ("val_loss", "validation split", VAL_COLOUR),
    ):
        rows = record.dropna(subset=column)
        figure.add_scatter(
            x=rows["step"],
            y=rows[column],
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"size": 5},
            hovertemplate="%{y:.4f}",
        )
    if best:
        figure.add_scatter(
            x=[best["step"]],
            y=[best["val_loss"]],
            name=f"best validation, {best['val_loss']:.4f}",
            mode="markers",
            marker={
                "symbol": "star",
                "size": 14,
                "color": VAL_COLOUR,
                "line": {"width": 1, "color": "white"},
            },
            hovertemplate="%{y:.4f}",
        )
    for label, loss in references.items():
        figure.add_hline(
            loss,
            line={"dash": "dot", "width": 1.5, "color": "#8a8a8a"},
            annotation={"text": f"{label} {loss:.4f}", "font": {"size": 11}},
            annotation_position="bottom left",
        )
    figure.update_xaxes(title="step (optimiser updates)")
    figure.update_yaxes(title="loss (nats per character)")
    figure.update_layout(
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin=_MARGIN,
        dragmode=False,
    )
    return figure

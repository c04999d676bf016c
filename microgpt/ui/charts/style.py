"""Colours, character names and the menu of all charts; imports neither streamlit nor torch."""

import numpy as np
import plotly.colors

# Perceptually uniform, safe for colour-blind readers; its grey level rises from 0 to 1.
ATTENTION_SCALE = "Viridis"
BLUE, ORANGE, GREY = "#2a78a8", "#d2691e", "#8a8a8a"
MARGIN = {"l": 8, "r": 8, "t": 36, "b": 8}  # the menu needs space at the top
MAX_LABELS_ACROSS = 44  # that fit in the width of a chart
CHARACTER_FONT = {"family": "monospace", "size": 11}  # of axis labels that are characters
_VISIBLE = {"\n": "⏎", " ": "␣", "\t": "⇥"}
_ZOOM = ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "select2d", "lasso2d"]


def menu(file_name: str, image: str = "svg") -> dict[str, object]:
    """The options of a chart's menu: it saves the chart as an image, SVG or PNG, and cannot zoom.

    A chart without zoom does not catch a swipe, so that the page scrolls. The menu supports one
    image format at a time; a button for another would need JavaScript.
    """
    scale = 2 if image == "png" else 1  # more pixels for high-resolution screens
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": _ZOOM,
        "toImageButtonOptions": {"format": image, "filename": file_name, "scale": scale},
    }


def visible(text: str) -> list[str]:
    """The characters of a text, with a visible sign in place of each space, newline and tab."""
    return [_VISIBLE.get(char, char) for char in text]


def position_names(text: str) -> list[str]:
    """A unique name for each character of a text: the character and its position, from 1."""
    return [f"{label} ({at})" for at, label in enumerate(visible(text), start=1)]


def palette(levels: int = 256) -> list[list[int]]:
    """Colours [red, green, blue] of the attention scale at evenly spaced levels from 0 to 1."""
    at = np.linspace(0, 1, levels).tolist()
    colours = plotly.colors.sample_colorscale(ATTENTION_SCALE, at)
    return [[round(part) for part in plotly.colors.unlabel_rgb(colour)] for colour in colours]

"""What the app's charts share: colours, names of characters, the menu; no streamlit, no torch."""

import numpy as np
import plotly.colors

# Perceptually uniform, safe for colour-blind readers, monotone in grey.
ATTENTION_SCALE = "Viridis"
CALM, VIVID, GREY = "#2a78a8", "#d2691e", "#8a8a8a"
MARGIN = {"l": 8, "r": 8, "t": 36, "b": 8}  # the menu has its place at the top
MOST_ACROSS = 48  # labels that fit side by side in the width of a chart
_VISIBLE = {"\n": "⏎", " ": "␣", "\t": "⇥"}
_ZOOM = ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "select2d", "lasso2d"]


def menu(file_name: str, image: str = "svg") -> dict[str, object]:
    """The options of a chart's own menu: take it home as SVG or PNG; a swipe scrolls the page.

    The menu knows one format at a time, and a button of one's own would have to be JavaScript.
    """
    scale = 2 if image == "png" else 1  # pixels for a good screen; lines need no more
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": _ZOOM,
        "toImageButtonOptions": {"format": image, "filename": file_name, "scale": scale},
    }


def visible(text: str) -> list[str]:
    """The characters of a text, those that cannot be seen replaced by a sign."""
    return [_VISIBLE.get(char, char) for char in text]


def positions(text: str) -> list[str]:
    """A name for each character of a text, different for all of them."""
    return [f"{label} ({at})" for at, label in enumerate(visible(text), start=1)]


def palette(levels: int = 256) -> list[list[int]]:
    """The attention scale's colours [red, green, blue] for so many levels from 0 to 1."""
    at = np.linspace(0, 1, levels).tolist()
    colours = plotly.colors.sample_colorscale(ATTENTION_SCALE, at)
    return [[round(part) for part in plotly.colors.unlabel_rgb(colour)] for colour in colours]

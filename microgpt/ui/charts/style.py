"""Colours, character names and the menu of all charts; imports neither streamlit nor torch."""

import unicodedata
from collections.abc import Iterable
from functools import cache

import numpy as np
import plotly.colors

# Perceptually uniform, safe for colour-blind readers; its grey level rises from 0 to 1.
ATTENTION_SCALE = "Viridis"
BLUE, ORANGE, GREY = "#2a78a8", "#d2691e", "#8a8a8a"
BELOW_0, ABOVE_0 = BLUE, ORANGE  # of signed numbers, in charts and in components
MARGIN = {"l": 8, "r": 8, "t": 36, "b": 8}  # the menu needs space at the top
# Of a legend: below the chart, because on a phone the menu fills the space above it.
LEGEND = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0}
MAX_LABELS_ACROSS = 44  # the most that fit in the width of a chart
CHARACTER_FONT = {"family": "monospace", "size": 11}  # of axis labels that are characters
# Signs of characters without a glyph. Any other such character is shown by its code, as ⟨202E⟩. The
# control pictures of Unicode, such as U+240D, are missing in the fonts of many systems.
_SIGNS = {
    **{"\n": "⏎", " ": "␣", "\t": "⇥", "\u00a0": "⍽", "\u3000": "␣␣"},
    **{"\0": "⟨NUL⟩", "\r": "⟨CR⟩", "\u00ad": "⟨SHY⟩", "\ufeff": "⟨BOM⟩", "\u200b": "⟨ZWSP⟩"},
    **{"\u200c": "⟨ZWNJ⟩", "\u200d": "⟨ZWJ⟩", "\u200e": "⟨LRM⟩", "\u200f": "⟨RLM⟩"},
}
_TAKEN = frozenset(_SIGNS.values())
# Characters without a glyph that Python calls printable: joiners, fillers, variation selectors.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    *map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
}
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


def has_glyph(char: str) -> bool:
    """Whether a character is visible in a text."""
    return char.isprintable() and not char.isspace() and char not in _INVISIBLE


def sign(char: str) -> str:
    """The label of a single character: itself, or a visible sign that no other character has.

    A combining mark is placed on a dotted circle.
    """
    if char in _SIGNS:
        return _SIGNS[char]
    if char in _TAKEN or not has_glyph(char):
        return f"⟨{ord(char):04X}⟩"
    return f"◌{char}" if unicodedata.category(char)[0] == "M" else char


def visible(text: str) -> list[str]:
    """The sign of each character of a text."""
    return [sign(char) for char in text]


def in_text(char: str) -> str:
    """How a text shows a character: its sign, unless it has a glyph or is white space."""
    return char if has_glyph(char) or char in " \n\t" else sign(char)


def signs_in_text(characters: Iterable[str]) -> dict[str, str]:
    """The signs of the characters that a text does not show unchanged."""
    return {char: in_text(char) for char in characters if in_text(char) != char}


def isolated(text: str) -> str:
    """Wrap a right-to-left text, so that it does not reorder the words around it."""
    rtl = any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text)
    return f"\u2068{text}\u2069" if rtl else text


def position_names(text: str, isolate: bool = True) -> list[str]:
    """A unique name for each character of a text: the character and its position, from 1.

    isolate: wrap right-to-left characters with `isolated`, for names that are shown on the page.
    """
    wrap = isolated if isolate else str
    return [f"{wrap(label)} ({at})" for at, label in enumerate(visible(text), start=1)]


@cache
def palette(levels: int = 256) -> list[list[int]]:
    """Colours [red, green, blue] of the attention scale at evenly spaced levels from 0 to 1."""
    at = np.linspace(0, 1, levels).tolist()
    colours = plotly.colors.sample_colorscale(ATTENTION_SCALE, at)
    return [[round(part) for part in plotly.colors.unlabel_rgb(colour)] for colour in colours]

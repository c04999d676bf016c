"""The contrast of two colours (WCAG 2.2, 1.4.3), and the colours of both themes."""

import tomllib
from pathlib import Path

Colour = list[float]

_CONFIG = Path(__file__).parents[2] / ".streamlit" / "config.toml"
_THEME = tomllib.loads(_CONFIG.read_text(encoding="utf-8"))["theme"]
# Text, background and secondary background, by theme.
THEMES = {
    name: {key: _THEME[name][key] for key in ("textColor", "backgroundColor")}
    | {"secondary": _THEME[name]["secondaryBackgroundColor"]}
    for name in ("light", "dark")
}


def rgb(colour: str) -> Colour:
    """Convert #rrggbb to [red, green, blue], 0 to 255."""
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def mixed(over: Colour, under: Colour, share: float) -> Colour:
    """A colour with this opacity over another one."""
    return [share * one + (1 - share) * other for one, other in zip(over, under, strict=True)]


def contrast(one: Colour, other: Colour) -> float:
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (each / 255 for each in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

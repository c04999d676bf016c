"""The browser components: one folder for each, with its Python, JavaScript, CSS and HTML."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import plotly.colors
import streamlit as st
from numpy.typing import ArrayLike

from microgpt.ui.charts.style import ABOVE_0, BELOW_0

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Badge:
    """The badge of a head: the name of its highest score, and the score.

    strong: whether the score labels the head; otherwise the badge is faint.
    """

    name: str
    score: float
    strong: bool


def badge_data(badges: Sequence[Sequence[Badge | None]]) -> list[list[dict[str, Any] | None]]:
    """The badges of all heads, by layer, as a component's data."""
    return [[asdict(each) if each else None for each in row] for row in badges]


def in_base64(values: ArrayLike, dtype: str = "<f4") -> str:
    """Encode numbers in base64, row by row, for `bytes` in shared.js; by default as float32."""
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()


def is_index(value: object, count: int) -> TypeGuard[int]:
    """Whether what a browser sent is an integer from 0 to count - 1. Anyone can send anything."""
    return type(value) is int and 0 <= value < count


def component(
    folder: str, name: str | None = None, uses: Sequence[str] = ()
) -> Callable[..., object]:
    """Register a component from its folder and return the function that mounts it.

    name defaults to the name of the folder. uses: see sources. Raises OSError if there is no
    NAME.js.
    """
    name = name or folder
    return st.components.v2.component(f"microgpt.{name}", **sources(folder, name, uses))


def sources(folder: str, name: str, uses: Sequence[str] = ()) -> dict[str, Any]:
    """The html, css and js of a component, None for a missing file.

    shared.css and shared.js come before its own, and the scripts in parts/ between them, if the
    component has the name of the folder. uses: further files beside shared.js that only some
    components need. The scripts can use the colours of signed numbers, as [red, green, blue].
    Raises OSError if there is no NAME.js.
    """

    def own(ending: str) -> str | None:
        path = _FOLDER / folder / f"{name}.{ending}"
        if not path.exists() and ending != "js":
            return None
        parts = sorted(path.parent.glob(f"parts/*.{ending}")) if name == folder else []
        return "\n".join(each.read_text(encoding="utf-8") for each in (*parts, path))

    def with_shared(ending: str) -> str | None:
        names = [f"shared.{ending}", *(each for each in uses if each.endswith(f".{ending}"))]
        shared = "\n".join((_FOLDER / each).read_text(encoding="utf-8") for each in names)
        text = own(ending)
        return text and f"{shared}\n{text}"

    below, above = (list(plotly.colors.hex_to_rgb(colour)) for colour in (BELOW_0, ABOVE_0))
    colours = f"const BELOW_0 = {below}, ABOVE_0 = {above};"
    return {"html": own("html"), "css": with_shared("css"), "js": f"{colours}\n{with_shared('js')}"}

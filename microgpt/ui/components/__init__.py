"""The browser components: one folder for each, with its Python, JavaScript, CSS and HTML."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).parent


def component(folder: str, name: str | None = None) -> Callable[..., object]:
    """Register a component from its folder and return the function that mounts it.

    name defaults to the name of the folder. Raises OSError without NAME.js.
    """
    name = name or folder
    return st.components.v2.component(f"microgpt.{name}", **sources(folder, name))


def sources(folder: str, name: str) -> dict[str, Any]:
    """The html, css and js of a component, None for a missing file.

    js holds shared.js followed by NAME.js. Raises OSError without NAME.js.
    """

    def text(path: Path) -> str:
        return path.read_text(encoding="utf-8")

    def optional(ending: str) -> str | None:
        path = _FOLDER / folder / f"{name}.{ending}"
        return text(path) if path.exists() else None

    js = text(_FOLDER / folder / f"{name}.js")
    return {
        "html": optional("html"),
        "css": optional("css"),
        "js": f"{text(_FOLDER / 'shared.js')}\n{js}",
    }

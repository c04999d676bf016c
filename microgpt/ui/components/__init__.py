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

    shared.css and shared.js come before its own. Raises OSError without NAME.js.
    """

    def own(ending: str) -> str | None:
        path = _FOLDER / folder / f"{name}.{ending}"
        return path.read_text(encoding="utf-8") if path.exists() or ending == "js" else None

    def with_shared(ending: str) -> str | None:
        shared = (_FOLDER / f"shared.{ending}").read_text(encoding="utf-8")
        text = own(ending)
        return text and f"{shared}\n{text}"

    return {"html": own("html"), "css": with_shared("css"), "js": with_shared("js")}

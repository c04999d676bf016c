"""The download button."""

from collections.abc import Callable
from pathlib import PurePath

import streamlit as st

_KINDS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".npz": "application/octet-stream",
    ".txt": "text/plain",
}


def download(
    label: str,
    content: Callable[[], str | bytes],
    file_name: str,
    help: str | None = None,
    key: str | None = None,
) -> None:
    """Offer a file, whose content is made when the button is pressed and which runs nothing else.

    The ending of file_name gives its media type. Raises KeyError for an ending without one.
    """
    st.download_button(
        label,
        content,
        file_name,
        _KINDS[PurePath(file_name).suffix],
        icon=":material/download:",
        on_click="ignore",
        help=help,
        key=key,
    )

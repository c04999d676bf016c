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
    """Show a download button; the content is made when it is pressed, without a rerun.

    The extension of file_name gives the media type. Raises KeyError for an unknown extension.
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

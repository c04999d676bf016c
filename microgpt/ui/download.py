"""The download button."""

import weakref
from collections.abc import Callable
from pathlib import PurePath

import streamlit as st

from microgpt.checkpoint import AnyCheckpoint, CheckpointError

_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".npz": "application/octet-stream",
    ".txt": "text/plain",
    ".zip": "application/zip",
}


def download(
    label: str,
    content: Callable[..., str | bytes],
    file_name: str,
    help: str | None = None,
    key: str | None = None,
    of: AnyCheckpoint | None = None,
) -> None:
    """Show a download button; pressing it calls `content`, without a rerun of the page.

    The extension of file_name determines the media type. of: the checkpoint that `content` is
    called with; the button does not keep it in memory. Raises KeyError for an unknown extension.
    """
    st.download_button(
        label,
        content if of is None else _later(content, of),
        file_name,
        _MEDIA_TYPES[PurePath(file_name).suffix],
        icon=":material/download:",
        on_click="ignore",
        help=help,
        key=key,
    )


def _later(
    content: Callable[[AnyCheckpoint], str | bytes], of: AnyCheckpoint
) -> Callable[[], str | bytes]:
    """Return a function that calls `content` with a checkpoint, unless that was unloaded.

    Streamlit keeps the buttons of tabs that were closed.
    """
    seen = weakref.ref(of)

    def now() -> str | bytes:
        if (checkpoint := seen()) is None:
            raise CheckpointError("the checkpoint is not loaded any more; reload the page")
        return content(checkpoint)

    return now

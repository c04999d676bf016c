"""A checkpoint from a repo on the Hub: the input of its name, and its download."""

from collections.abc import Callable

import streamlit as st

from microgpt.checkpoint import AnyCheckpoint
from microgpt.hub import Fetch, HubError, parse_repo
from microgpt.ui.cache.checkpoints import this_visitor
from microgpt.ui.controls import Control
from microgpt.ui.text import escaped

# How long a page waits for a download before it opens with another checkpoint.
WAIT_SECONDS = 2.0


def repo_control(label: str, repo: Control, on_change: Callable[[], None] | None = None) -> str:
    """Show the input for a repo on the Hub and return its name, empty if there is none."""
    return st.text_input(
        label,
        **repo.widget_args,
        on_change=on_change,
        placeholder="user/name",
        help="A public microGPT checkpoint on the Hugging Face Hub: user/name or "
        "user/name@revision. Other visitors do not see your choice.",
    ).strip()


def named_checkpoint(
    view: str, name: str, fallback: AnyCheckpoint | None
) -> tuple[AnyCheckpoint | None, bool]:
    """The checkpoint that the visitor named, or the fallback, and whether the named one is missing.

    Shows the progress or the error of the download. view: the part of the page that uses the
    checkpoint. It has at most one repo at a time; a new name releases the previous one.
    """
    try:
        ref = parse_repo(name) if name else None
    except HubError as error:
        st.error(escaped(f"{error.for_visitors}."))
        ref = None
    # A link names a commit, which may be that of the fallback.
    same = fallback and fallback.origin and (fallback.origin.name, fallback.origin.commit)
    if ref is not None and (ref.repo_id, ref.revision) == same:
        ref, name = None, ""
    fetch = this_visitor().show(view, ref)
    if fetch is None:
        return fallback, bool(name)
    if (loaded := loaded_soon(fetch)) is not None:
        return loaded, False
    show_download(view, fetch, fallback, lambda: this_visitor().close(view))
    return fallback, True


def loaded_soon(fetch: Fetch) -> AnyCheckpoint | None:
    """The checkpoint if it is loaded; waits for it until WAIT_SECONDS after the download began."""
    fetch.wait(max(0.0, WAIT_SECONDS - fetch.age))
    return fetch.loaded


def show_download(
    view: str, fetch: Fetch, fallback: AnyCheckpoint | None, reset: Callable[[], None]
) -> None:
    """Show the progress or the error of a download, and the title of the fallback."""
    title = fallback.title if fallback else None
    if fetch.error is None:
        _show_progress(fetch, f" Until then the page shows: {title}." if title else "")
    else:
        shown = f" The page shows: {title}." if title else ""
        st.error(escaped(f"{fetch.error.for_visitors}.{shown}"))
        st.button("Try again", key=f"try {view} again", on_click=reset)


@st.fragment(run_every=0.5)
def _show_progress(fetch: Fetch, shown: str) -> None:
    """Show the progress of a download until it ends, without a rerun of the page."""
    if fetch.done:
        st.rerun()
    done, total = fetch.bytes_done / 1e6, fetch.bytes_total / 1e6
    size = f" ({done:.1f} of {total:.1f} MB)" if total else ""
    share = min(1.0, done / total) if total else 0.0
    st.progress(share, escaped(f"Loading {fetch.ref}{size}.{shown}"))

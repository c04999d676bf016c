"""The checkpoint picker in the sidebar: which checkpoint the pages use and where it comes from."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.checkpoint import Checkpoint, CheckpointError
from microgpt.hub import Fetch, HubError, parse_repo
from microgpt.ui import cache
from microgpt.ui.charts.style import isolated
from microgpt.ui.controls import Control, control
from microgpt.ui.text import escaped

REPO = control("repo")
# How long a page waits for a download before it opens with another checkpoint.
WAIT_SECONDS = 2.0


def checkpoint_picker(notes: DeltaGenerator) -> Checkpoint:
    """Show the picker in the sidebar and return the checkpoint of the page.

    Errors and progress are shown in `notes`, on the page itself. If there is no checkpoint at all,
    the script stops here.
    """
    with notes:
        loaded = _operators_checkpoint()
    with st.sidebar:
        st.subheader("Checkpoint", anchor=False)
        card = st.container()
        name = repo_control("Load another checkpoint", REPO)
        below = st.container()
    with notes:
        loaded, loading = named_checkpoint("visitor", name, fallback=loaded)
    st.session_state["checkpoint_loading"] = loading
    if loading:
        # On a phone the sidebar covers the page.
        below.caption("Not loaded yet. Close the sidebar to see why.")
    if loaded is None:
        st.stop()
    with card:
        _provenance(loaded)
    return loaded


def repo_control(label: str, repo: Control) -> str:
    """Show the input for a repo on the Hub and return its name, empty if there is none."""
    return st.text_input(
        label,
        **repo.widget_args,
        placeholder="user/name",
        help="A public microGPT checkpoint on the Hugging Face Hub: user/name or "
        "user/name@revision. Other visitors do not see your choice.",
    ).strip()


def _bundled() -> Checkpoint | None:
    try:
        return cache.bundled()
    except CheckpointError as error:
        st.error(escaped(f"The bundled checkpoint cannot be used: {error.for_visitors}."))
        return None


def _operators_checkpoint() -> Checkpoint | None:
    """The checkpoint that the app opens with, None if there is none."""
    try:
        setting = cache.operator_setting()
        if isinstance(setting, Path):
            return cache.folder(setting)
    except (CheckpointError, HubError) as error:
        st.error(escaped(f"{error.for_visitors}."))
        return _bundled()
    if setting is None:
        return _bundled()
    fetch = cache.operator_fetch(setting)
    if (loaded := _wait(fetch)) is not None:
        return loaded
    fallback = fetch.copy or _bundled()
    _show_download("operator", fetch, fallback, lambda: cache.operator_fetch.clear(setting))
    return fallback


def named_checkpoint(
    view: str, name: str, fallback: Checkpoint | None
) -> tuple[Checkpoint | None, bool]:
    """The checkpoint that the visitor named, or the fallback, and whether the named one is missing.

    Shows the progress or the error of the download. view: shows at most one repo at a time; a new
    name leaves the old repo.
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
    fetch = cache.visitor().show(view, ref)
    if fetch is None:
        return fallback, bool(name)
    if (loaded := _wait(fetch)) is not None:
        return loaded, False
    _show_download(view, fetch, fallback, lambda: cache.visitor().close(view))
    return fallback, True


def _wait(fetch: Fetch) -> Checkpoint | None:
    """The checkpoint if it is loaded; waits for it until WAIT_SECONDS after the download began."""
    fetch.wait(max(0.0, WAIT_SECONDS - fetch.age))
    return fetch.loaded


def _show_download(
    view: str, fetch: Fetch, fallback: Checkpoint | None, reset: Callable[[], None]
) -> None:
    """Show the progress or the error of a download, and the title of the fallback."""
    title = title_of(fallback) if fallback else None
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


def title_of(checkpoint: Checkpoint) -> str:
    """What the pages call a checkpoint."""
    assert checkpoint.origin is not None  # it was loaded
    if checkpoint.origin.kind == "bundled":
        return "Bundled checkpoint"
    return checkpoint.origin.short_name


def _provenance(checkpoint: Checkpoint) -> None:
    training = checkpoint.training
    st.markdown(f"**{escaped(title_of(checkpoint))}**")
    lines = []
    if checkpoint.origin and checkpoint.origin.commit:
        lines.append(f"commit `{checkpoint.origin.commit[:12]}`")
    lines.append(f"{checkpoint.model.parameter_count():,} parameters")
    if training.val_loss_full is not None:
        lines.append(f"validation loss {training.val_loss_full:.4f} nats per character")
    lines.append(f"trained on {isolated(escaped(training.data))}, {training.steps:,} steps")
    lines.append(escaped(f"{training.finished}, {training.hardware}"))
    st.caption("  \n".join(lines))
    for note in checkpoint.notes:
        st.warning(escaped(f"{note}."))

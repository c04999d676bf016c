"""The checkpoint picker: which checkpoint a page shows, where it comes from, how to change it."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from microgpt.checkpoint import CheckpointError
from microgpt.hub import Fetch, HubError, Loaded, RepoRef, parse_repo, visitor_cache_folder
from microgpt.ui import cache
from microgpt.ui.text import plain

# How long a page waits for a checkpoint before it opens with another one.
PATIENCE_SECONDS = 2.0


def checkpoint_picker() -> Loaded:
    """Show in the sidebar which checkpoint is loaded, and take another from the visitor.

    Where none can be had the page ends here, with one sentence that says why.
    """
    with st.sidebar:
        st.subheader("Checkpoint", anchor=False)
        card, notes = st.container(), st.container()
        with notes:
            loaded, problem = _operators_checkpoint()
        name = st.text_input(
            "Load another from the Hub",
            key="repo",
            bind="query-params",
            placeholder="user/name",
            help="A public microGPT checkpoint: user/name, or user/name@revision. "
            "Only you will see it.",
        ).strip()
        if name:
            loaded = _visitors_checkpoint(name, fallback=loaded) or loaded
        if loaded is not None:
            with card:
                _provenance(loaded)
    if loaded is None:
        if problem:
            st.error(problem)
        st.stop()
    return loaded


def _operators_checkpoint() -> tuple[Loaded | None, str]:
    """What the app opens with, and where there is nothing, why."""
    try:
        fallback, problem = cache.bundled(), ""
    except CheckpointError as error:
        fallback, problem = None, f"The bundled checkpoint cannot be used: {error}."
    try:
        setting = cache.operator_setting()
        if isinstance(setting, Path):
            return cache.folder(setting), ""
    except (CheckpointError, HubError) as error:
        st.warning(plain(f"{error}."))
        return fallback, problem
    if setting is None:
        return fallback, problem
    fetch = cache.operator_fetch(setting)
    fallback = (None if fetch.loaded else cache.local_copy(setting)) or fallback
    return _settle(setting, fetch, fallback, lambda: cache.operator_fetch.clear(setting)), problem


def _visitors_checkpoint(name: str, fallback: Loaded | None) -> Loaded | None:
    try:
        ref = parse_repo(name)
    except HubError as error:
        st.error(plain(f"{error}."))
        return None
    fetch = st.session_state.get("visitor_fetch")
    if fetch is None or fetch.ref != ref:
        # token=False: the host's own token must open nothing for a stranger.
        fetch = Fetch(ref, token=False, cache_dir=visitor_cache_folder())
        st.session_state["visitor_fetch"] = fetch
    return _settle(ref, fetch, fallback, lambda: st.session_state.pop("visitor_fetch"))


def _settle(
    ref: RepoRef, fetch: Fetch, fallback: Loaded | None, forget: Callable[[], object]
) -> Loaded | None:
    """What to show of a fetch: its checkpoint, or the fallback and how the fetch stands."""
    if st.session_state.get("awaited") is not fetch:
        st.session_state["awaited"] = fetch
        fetch.wait(PATIENCE_SECONDS)
    if fetch.loaded is not None:
        return fetch.loaded
    shown = f" Showing: {_title(fallback)}." if fallback else ""
    if fetch.error is not None:
        st.error(plain(f"{fetch.error}.{shown}"))
        st.button("Try again", key=f"again {ref}", on_click=forget)
    else:
        _follow(ref, fetch, f" Showing meanwhile: {_title(fallback)}." if fallback else "")
    return fallback


@st.fragment(run_every=0.5)
def _follow(ref: RepoRef, fetch: Fetch, shown: str) -> None:
    """The progress of a download, refreshed without running the page, until it is over."""
    if fetch.done:
        st.rerun()
    done, total = fetch.bytes_done / 1e6, fetch.bytes_total / 1e6
    size = f" ({done:.1f} of {total:.1f} MB)" if total else ""
    st.progress(min(1.0, done / total) if total else 0.0, plain(f"Loading {ref}{size}.{shown}"))


def _title(loaded: Loaded) -> str:
    if loaded.origin.kind == "bundled":
        return "Bundled checkpoint"
    return loaded.origin.name


def _provenance(loaded: Loaded) -> None:
    training = loaded.checkpoint.training
    st.markdown(f"**{plain(_title(loaded))}**")
    lines = []
    if loaded.origin.commit:
        lines.append(f"commit `{loaded.origin.commit[:12]}`")
    lines.append(f"{loaded.checkpoint.model.parameter_count():,} parameters")
    if training.val_loss_full is not None:
        lines.append(f"validation loss {training.val_loss_full:.4f} nats per character")
    lines.append(f"trained on {plain(training.data)}, {training.steps:,} steps")
    lines.append(plain(f"{training.finished}, {training.hardware}"))
    st.caption("  \n".join(lines))

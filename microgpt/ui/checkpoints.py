"""The checkpoint picker in the sidebar: which checkpoint the pages use and where it comes from."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.checkpoint import WEIGHTS, AnyCheckpoint, CheckpointError, read_config
from microgpt.hub import Fetch, HubError, parse_repo
from microgpt.ui.allowed import OneOf
from microgpt.ui.attention.switchboard import all_on
from microgpt.ui.cache.checkpoints import (
    bundled_checkpoint,
    bundled_folders,
    bundled_of,
    folder_checkpoint,
    operator_fetch,
    operator_setting,
    this_visitor,
)
from microgpt.ui.charts.style import isolated
from microgpt.ui.controls import Control, control
from microgpt.ui.opened import (
    CHOSEN,
    RUN,
    OpenedHere,
    close_opened,
    file_control,
    open_again,
    opened_here,
)
from microgpt.ui.text import escaped

REPO = control("repo")
C = TypeVar("C", bound=AnyCheckpoint)
_OPERATORS = "This app's own"
# How long a page waits for a download before it opens with another checkpoint.
WAIT_SECONDS = 2.0


def checkpoint_picker(notes: DeltaGenerator) -> AnyCheckpoint:
    """Show the picker in the sidebar and return the checkpoint of the page.

    Errors and progress are shown in `notes`, on the page itself. If there is no checkpoint at all,
    the script stops here.
    """
    with st.sidebar:
        choice, card = st.container(), st.container()
        name = repo_control("Load another checkpoint", REPO, all_on)
        below = st.container()
        file_control(REPO)
        opened = opened_here(st.container())
        with choice:
            chosen = _choice_control(opened)
    with notes:
        if opened.name is not None and chosen == opened.name:
            loaded = opened.checkpoint or _bundled()
        else:
            loaded = _operators_checkpoint() if chosen == _OPERATORS else _bundled(chosen)
        if opened.error and (opened.name is None or chosen == opened.name):
            _show_closed(opened, loaded)
        loaded, loading = named_checkpoint("visitor", name, fallback=loaded)
    st.session_state["checkpoint_loading"] = loading
    if loading:
        below.caption("Not loaded yet. The page says why; on a phone, close the sidebar to see it.")
    if loaded is None:
        st.stop()
    with card:
        if title_of(loaded) != chosen:
            st.markdown(f"**{escaped(title_of(loaded))}**")
        _provenance(loaded)
    return loaded


def _choice_control(opened: OpenedHere) -> str:
    """Show the choice of the checkpoints that need no download, and return a name.

    It is _OPERATORS, if the operator set a checkpoint, or the name of a bundled one, or of the one
    that is open.
    """
    names = _included()
    if opened.name is not None:
        names.append(opened.name)
    kind = OneOf(names, names[0])
    return st.selectbox("Checkpoint", names, **CHOSEN.args(kind), on_change=_choose_included)


def _included() -> list[str]:
    """The names of the checkpoints that come with this app; the first is the default."""
    names = list(bundled_folders())
    try:
        has_own = operator_setting() is not None
    except HubError:  # _operators_checkpoint shows it
        has_own = True
    if has_own:
        names.insert(0, _OPERATORS)
    return names


def _show_closed(opened: OpenedHere, shown: AnyCheckpoint | None) -> None:
    """Say why the checkpoint that was opened is not shown."""
    title = f" The page shows: {title_of(shown)}." if shown else ""
    st.error(escaped(f"{opened.error}{title}"))
    if opened.name is None:
        st.button("Close", key="close the run", on_click=close_opened)
    elif RUN.value:
        st.button("Try again", key="open the run again", on_click=open_again)


def included_with(weights_sha256: str) -> str | None:
    """The name of a checkpoint that needs no download and has these weights; None if none has."""
    folders = {}
    with contextlib.suppress(HubError):
        if isinstance(own := operator_setting(), Path):
            folders[_OPERATORS] = own
    for name, folder in (folders | bundled_folders()).items():
        with contextlib.suppress(CheckpointError):
            if read_config(folder)[2][WEIGHTS] == weights_sha256:
                return name
    return None


def _choose_included() -> None:
    REPO.choose("")
    all_on()


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


def _bundled(name: str | None = None) -> AnyCheckpoint | None:
    try:
        return bundled_checkpoint(name)
    except CheckpointError as error:
        st.error(escaped(f"The bundled checkpoint cannot be used: {error.for_visitors}."))
        return None


def _operators_checkpoint() -> AnyCheckpoint | None:
    """The checkpoint that the app opens with, None if there is none."""
    try:
        setting = operator_setting()
        if isinstance(setting, Path):
            return folder_checkpoint(setting)
    except (CheckpointError, HubError) as error:
        st.error(escaped(f"{error.for_visitors}."))
        return _bundled()
    if setting is None:
        return _bundled()
    fetch = operator_fetch(setting)
    if (loaded := _wait(fetch)) is not None:
        return loaded
    fallback = fetch.copy or _bundled()
    _show_download("operator", fetch, fallback, lambda: operator_fetch.clear(setting))
    return fallback


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
    if (loaded := _wait(fetch)) is not None:
        return loaded, False
    _show_download(view, fetch, fallback, lambda: this_visitor().close(view))
    return fallback, True


def _wait(fetch: Fetch) -> AnyCheckpoint | None:
    """The checkpoint if it is loaded; waits for it until WAIT_SECONDS after the download began."""
    fetch.wait(max(0.0, WAIT_SECONDS - fetch.age))
    return fetch.loaded


def _show_download(
    view: str, fetch: Fetch, fallback: AnyCheckpoint | None, reset: Callable[[], None]
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


def of_kind(chosen: AnyCheckpoint, kind: type[C]) -> C:
    """The chosen checkpoint if it is of this kind, or else the first bundled one that is.

    If there is none, the script stops here.
    """
    if isinstance(chosen, kind):
        return chosen
    try:
        if (found := bundled_of(kind)) is not None:
            return found
        reason = "is missing"
    except CheckpointError as error:
        reason = f"cannot be used: {error.for_visitors}"
    sentence = f"This page cannot show {title_of(chosen)}, and its bundled checkpoint {reason}."
    st.error(escaped(sentence))
    st.stop()


def title_of(checkpoint: AnyCheckpoint) -> str:
    """The name of a checkpoint on the pages."""
    assert checkpoint.origin is not None  # it was loaded
    if checkpoint.origin.kind == "bundled":
        return checkpoint.training.data
    return checkpoint.origin.short_name


def _provenance(checkpoint: AnyCheckpoint) -> None:
    training = checkpoint.training
    lines = []
    if checkpoint.origin and checkpoint.origin.commit:
        lines.append(f"commit `{checkpoint.origin.commit[:12]}`")
    layers, parameters = checkpoint.config.n_layer, checkpoint.model.parameter_count()
    lines.append(f"{layers} {'layer' if layers == 1 else 'layers'}, {parameters:,} parameters")
    if training.val_loss_full is not None:
        lines.append(f"validation loss {training.val_loss_full:.4f} nats per character")
    trained = f"trained on {isolated(escaped(training.data))}"
    if training.imported:
        lines.append(f"{trained}, imported from {isolated(escaped(training.imported))}")
    else:
        lines.append(f"{trained}, {training.steps:,} steps")
    st.caption("  \n".join(lines))
    for note in checkpoint.notes:
        st.warning(escaped(f"{note}."))

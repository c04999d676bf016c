"""The checkpoint picker in the sidebar: which checkpoint the pages use and where it comes from."""

import contextlib
from pathlib import Path
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.checkpoint import WEIGHTS, AnyCheckpoint, CheckpointError, read_config
from microgpt.hub import HubError
from microgpt.ui.allowed import OneOf
from microgpt.ui.attention.switchboard import all_on
from microgpt.ui.cache.checkpoints import (
    bundled_checkpoint,
    bundled_folders,
    bundled_of,
    folder_checkpoint,
    operator_fetch,
    operator_setting,
)
from microgpt.ui.charts.style import isolated
from microgpt.ui.controls import control
from microgpt.ui.opened import (
    CHOSEN,
    RUN,
    OpenedHere,
    close_opened,
    file_control,
    open_again,
    opened_here,
)
from microgpt.ui.repo import loaded_soon, named_checkpoint, repo_control, show_download
from microgpt.ui.text import counted, escaped

REPO = control("repo")
C = TypeVar("C", bound=AnyCheckpoint)
_OPERATORS = "This app's own"


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
        if loaded.title != chosen:
            st.markdown(f"**{escaped(loaded.title)}**")
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
    title = f" The page shows: {shown.title}." if shown else ""
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
    if (loaded := loaded_soon(fetch)) is not None:
        return loaded
    fallback = fetch.copy or _bundled()
    show_download("operator", fetch, fallback, lambda: operator_fetch.clear(setting))
    return fallback


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
    sentence = f"This page cannot show {chosen.title}, and the bundled checkpoint for it {reason}."
    st.error(escaped(sentence))
    st.stop()


def _provenance(checkpoint: AnyCheckpoint) -> None:
    training = checkpoint.training
    lines = []
    if checkpoint.origin and checkpoint.origin.commit:
        lines.append(f"commit `{checkpoint.origin.commit[:12]}`")
    layers = counted(checkpoint.config.n_layer, "layer")
    lines.append(f"{layers}, {checkpoint.model.parameter_count():,} parameters")
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

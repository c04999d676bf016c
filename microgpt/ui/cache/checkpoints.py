"""The checkpoints and runs that the app has loaded."""

import os
from pathlib import Path
from typing import TypeVar

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from microgpt.checkpoint import CONFIG, AnyCheckpoint, PairCheckpoint, read_config
from microgpt.checkpoint.runs import Run
from microgpt.checkpoint.runs import bundled_runs as read_bundled_runs
from microgpt.config import EncoderDecoderConfig
from microgpt.hub import (
    BUNDLED,
    Fetch,
    RepoRef,
    Visitor,
    VisitorCheckpoints,
    load_bundled,
    load_folder,
    operator_choice,
)
from microgpt.hub import bundled_folders as find_bundled_folders
from microgpt.ui.cache.results import shared
from microgpt.ui.cache.writing import engine_of

C = TypeVar("C", bound=AnyCheckpoint)


@shared(max_entries=1)
def bundled_folders() -> dict[str, Path]:
    """The folders of the bundled checkpoints by name; the first is the default."""
    return find_bundled_folders()


@shared(max_entries=len(BUNDLED), show_spinner="Loading the checkpoint …")
def _bundled_checkpoint(name: str) -> AnyCheckpoint:
    return load_bundled(bundled_folders()[name])


def bundled_checkpoint(name: str | None = None) -> AnyCheckpoint:
    """A bundled checkpoint by its name, by default the first. Raises CheckpointError."""
    return _bundled_checkpoint(name or next(iter(bundled_folders())))


def bundled_of(kind: type[C]) -> C | None:
    """The first bundled checkpoint of a kind, None if there is none. Raises CheckpointError."""
    for name, path in bundled_folders().items():
        # Only the config is read of the others, because their weights take memory.
        is_pair = isinstance(read_config(path)[0], EncoderDecoderConfig)
        if is_pair == issubclass(kind, PairCheckpoint):
            found = bundled_checkpoint(name)
            assert isinstance(found, kind)
            return found
    return None


def _folder_key(path: Path) -> tuple[bytes, int]:
    """A folder and the time at which its config was written, 0 if it has none."""
    try:
        return os.fsencode(path), (path / CONFIG).stat().st_mtime_ns
    except OSError:
        return os.fsencode(path), 0


@st.cache_resource(
    max_entries=1, show_spinner="Loading the checkpoint …", hash_funcs={type(Path()): _folder_key}
)
def folder_checkpoint(path: Path) -> AnyCheckpoint:
    """The operator's checkpoint folder, loaded again if it changes. Raises CheckpointError."""
    return load_folder(path)


@shared(max_entries=1)
def operator_fetch(ref: RepoRef) -> Fetch:
    """The download of the operator's repo, one for all visitors."""
    return Fetch(ref)


@shared(max_entries=1)
def visitor_checkpoints() -> VisitorCheckpoints:
    """The checkpoints that visitors named; all visitors share them."""
    return VisitorCheckpoints(on_unload=engine_of.clear)


@st.cache_resource(show_spinner=False, scope="session", on_release=Visitor.leave)
def _this_visitor() -> Visitor:
    return Visitor(visitor_checkpoints())


def this_visitor() -> Visitor:
    """The repos that this session shows; they are released when the tab is closed."""
    found, context = _this_visitor(), get_script_run_ctx()
    if (
        context
        and runtime.exists()
        and not runtime.get_instance().is_active_session(context.session_id)
    ):
        # The tab was closed before _this_visitor was called.
        found.leave()
        st.stop()
    return found


@shared(max_entries=1)
def bundled_runs() -> list[Run]:
    """The training runs in assets/, sorted by name."""
    return read_bundled_runs()


def operator_setting() -> Path | RepoRef | None:
    """The checkpoint that the operator configured: a folder, a repo, or none. Raises HubError."""
    st.secrets.load_if_toml_exists()  # copies the secrets into the environment
    return operator_choice(os.environ)

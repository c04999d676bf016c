"""The checkpoint that a visitor opened for this session: a file, or a run of this app."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from microgpt.checkpoint import FILES, MIB, OPTIONAL, AnyCheckpoint, CheckpointError, archive
from microgpt.errors import MicroGPTError
from microgpt.hub.visitors import Opened
from microgpt.ui.attention.switchboard import all_on
from microgpt.ui.cache.checkpoints import this_visitor
from microgpt.ui.cache.training import MAX_OPENED_BYTES, run_title, trained_checkpoint
from microgpt.ui.controls import Control, control
from microgpt.ui.server import forget_uploads
from microgpt.ui.text import escaped

# The choice of the sidebar, and the run that is open; a link to a page of the run has both.
CHOSEN = control("checkpoint")
RUN = control("opened")
_VIEW = "opened"  # the view of this session's Visitor
_YOURS = "Yours: "  # begins the name of what is open in the choice of checkpoints
_MISSING = "name of the checkpoint that the link lacks"
_RUN = "run "  # begins what identifies a run, and not a file
_UPLOADER, _ERROR = "number of the uploader", "error of the uploader"
# The same as maxUploadSize in .streamlit/config.toml.
MAX_MIB = 32
_TYPES = sorted({"zip", *(name.rsplit(".")[-1] for name in FILES | OPTIONAL)})


@dataclass(frozen=True)
class OpenedHere:
    """What is open: its name in the choice of checkpoints, and the checkpoint or an error.

    Without a name, nothing is open.
    """

    name: str | None = None
    checkpoint: AnyCheckpoint | None = None
    error: str | None = None


def opened_here(hidden: DeltaGenerator) -> OpenedHere:
    """The checkpoint that this session opened. A link with a run opens it.

    hidden: where the run's id is kept for the link.
    """
    with hidden.container(key="hidden_opened"):
        run = st.text_input("The run that is open", **RUN.widget_args)
    try:
        shown = _opened_run(run) if run else this_visitor().opened(_VIEW)
    except MicroGPTError as error:
        return OpenedHere(error=f"{error.for_visitors}.")
    if shown is None or (not run and shown.ref.startswith(_RUN)):
        return _missing()
    st.session_state.pop(_MISSING, None)
    why = f"{shown.error.for_visitors}." if shown.error else None
    return OpenedHere(_choice(shown.name), shown.loaded, why)


def _missing() -> OpenedHere:
    """Nothing is open; an error if the session began with a link that was made with a file open."""
    named = st.query_params.get(CHOSEN.key, "")
    if CHOSEN.key not in st.session_state and named.startswith(_YOURS):
        lacking = named.removeprefix(_YOURS) or "…"
        st.session_state[_MISSING] = lacking if len(lacking) <= 60 else f"{lacking[:59]}…"
        del st.query_params[CHOSEN.key]
    if (name := st.session_state.get(_MISSING)) is None:
        return OpenedHere()
    return OpenedHere(
        error=f"The link was made with the checkpoint {name}, opened from a file, which a link "
        "does not hold. Open the same file in the sidebar to see it here."
    )


def _opened_run(run: str) -> Opened | None:
    load = partial(trained_checkpoint, run)
    return this_visitor().open(_VIEW, f"{_RUN}{run}", run_title(run), load)


def open_run(run: str, repo: Control) -> None:
    """Open the checkpoint of a run. For a callback."""
    this_visitor().close(_VIEW)
    RUN.choose(run)
    _choose(run_title(run), repo)


def open_again() -> None:
    """Open a run again that was closed to make room. For a callback."""
    this_visitor().close(_VIEW)


def close_opened() -> None:
    """Close what is open. For a callback."""
    this_visitor().close(_VIEW)
    RUN.choose("")
    st.session_state.pop(_MISSING, None)


def file_control(repo: Control) -> None:
    """Show the upload that opens a checkpoint from a zip or from the files of a folder.

    Its error is shown below it. repo: the control of a repo, which opening a file empties.
    """
    number = st.session_state.setdefault(_UPLOADER, 0)
    st.file_uploader(
        "Open a checkpoint from a file",
        type=_TYPES,
        key=f"checkpoint_file_{number}",
        accept_multiple_files=True,
        max_upload_size=MAX_MIB,
        on_change=_open_files,
        args=(repo,),
        help=f"The zip of a checkpoint, or the files of its folder, of at most {MAX_MIB} MiB. "
        "Other visitors do not see it.",
    )
    if error := st.session_state.get(_ERROR):
        st.error(escaped(error))


def _open_files(repo: Control) -> None:
    number = st.session_state[_UPLOADER]
    files: Sequence[UploadedFile] = st.session_state[f"checkpoint_file_{number}"]
    st.session_state[_ERROR] = None
    if not files:
        return
    # A new uploader, so that Streamlit does not keep the files while the tab is open.
    st.session_state[_UPLOADER] = number + 1
    try:
        _open({file.name: file for file in files}, repo)
    except MicroGPTError as error:
        st.session_state[_ERROR] = f"The checkpoint cannot be opened: {error.for_visitors}."
    finally:
        forget_uploads(files)


def _open(files: dict[str, UploadedFile], repo: Control) -> None:
    """Open uploaded files by their names. Raises CheckpointError."""
    if sum(file.size for file in files.values()) > MAX_MIB * MIB:  # the uploader limits one file
        raise CheckpointError(f"the files have more than {MAX_MIB} MiB together")
    content = {name: file.getvalue() for name, file in files.items()}
    digest = hashlib.sha256()
    for name, data in sorted(content.items()):
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    name = archive.name_of(content)
    if (shown := this_visitor().opened(_VIEW)) is not None and shown.loaded is None:
        this_visitor().close(_VIEW)  # it may be the same file
    this_visitor().open(
        _VIEW,
        f"file {digest.hexdigest()}",
        name,
        lambda: archive.open_files(content, MAX_OPENED_BYTES),
    )
    RUN.choose("")
    _choose(name, repo)


def _choose(name: str, repo: Control) -> None:
    CHOSEN.choose(_choice(name))
    repo.choose("")
    all_on()


def _choice(name: str) -> str:
    return f"{_YOURS}{name}"

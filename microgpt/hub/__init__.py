"""Open a checkpoint from a folder, from a repo on the Hugging Face Hub, or a bundled one."""

import os.path
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from microgpt import atomic, checkpoint
from microgpt.checkpoint import AnyCheckpoint, CheckpointError, Origin
from microgpt.hub.copies import cached
from microgpt.hub.fetch import Fetch, load
from microgpt.hub.repo import HubError, RepoRef, parse_repo
from microgpt.hub.upload import publish
from microgpt.hub.visitors import Visitor, VisitorCheckpoints

__all__ = [
    "BUNDLED",
    "Fetch",
    "HubError",
    "RepoRef",
    "Visitor",
    "VisitorCheckpoints",
    "bundled_folders",
    "cached",
    "load",
    "load_bundled",
    "load_folder",
    "open_checkpoint",
    "operator_choice",
    "parse_repo",
    "publish",
]

_ASSETS = Path(__file__).parents[2] / "assets"
# The folders of the checkpoints that come with the program; the first one is the default.
BUNDLED = [
    _ASSETS / "checkpoint",
    *(_ASSETS / "checkpoints" / name for name in ("induction", "dates")),
]


def load_folder(path: str | Path) -> AnyCheckpoint:
    """Open a checkpoint folder. Raises CheckpointError."""
    return _load(path, "folder")


def bundled_folders() -> dict[str, Path]:
    """The folders of the bundled checkpoints, by the name of their corpus.

    A checkpoint that cannot be read is listed by the name of its folder, which is also added, in
    brackets, to a later checkpoint of the same corpus. The default is first, and listed even if its
    folder is missing.
    """
    folders = {}
    for folder in BUNDLED:
        try:
            name = checkpoint.read_config(folder)[1].data
        except CheckpointError:
            name = folder.name
        if name in folders:
            name = f"{name} ({folder.name})"
        if folder == BUNDLED[0] or folder.is_dir():
            folders[name] = folder
    return folders


def load_bundled(folder: Path | None = None) -> AnyCheckpoint:
    """Open one of the checkpoints in BUNDLED, by default the first. Raises CheckpointError."""
    return _load(folder or BUNDLED[0], "bundled")


def _load(path: str | Path, kind: Literal["folder", "bundled"]) -> AnyCheckpoint:
    try:
        return checkpoint.load_any(path, Origin(kind, str(path)))
    except OSError as error:  # for example a name that is too long
        reason = f"cannot be read: {error.strerror}; name another folder"
        raise CheckpointError(
            f"the folder {str(path)[:100]!r} {reason}", f"the folder of the checkpoint {reason}"
        ) from error


def operator_choice(environ: Mapping[str, str]) -> Path | RepoRef | None:
    """Return the checkpoint that the app starts with, or None for a bundled one.

    MICROGPT_CHECKPOINT, a folder, takes precedence over MICROGPT_REPO. Both may also be secrets of
    the app: Streamlit copies its secrets into the environment, where they replace old values.
    Raises HubError if the value is malformed.
    """
    if folder := environ.get("MICROGPT_CHECKPOINT", "").strip():
        try:
            return Path(folder).expanduser()
        except RuntimeError as error:
            raise HubError(
                f"MICROGPT_CHECKPOINT is {folder[:100]!r}, but there is no such user; "
                "write the full path",
                "the checkpoint of this app cannot be found",
            ) from error
    if repo := environ.get("MICROGPT_REPO", "").strip():
        return parse_repo(repo)
    return None


def open_checkpoint(
    text: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> AnyCheckpoint:
    """Open the checkpoint that a command-line argument names: a folder if it exists, else a repo.

    progress: as for `load`. Raises CheckpointError or HubError.
    """
    atomic.put_back(Path(text))
    if os.path.exists(text):  # Path.exists would raise for a name that is too long
        return load_folder(Path(text))
    try:
        ref = parse_repo(text)
        return load(ref.repo_id, ref.revision, progress=progress)
    except HubError as error:
        short = text if len(text) <= 100 else f"{text[:100]}…"
        raise HubError(
            f"there is no folder {short!r} here, and it cannot be opened as a repo: {error}"
        ) from error

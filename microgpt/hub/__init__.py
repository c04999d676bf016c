"""Which checkpoint to open: a local folder, a repo on the Hugging Face Hub, or the bundled one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microgpt import checkpoint
from microgpt.hub.copies import (
    Loaded,
    Origin,
    cached,
    operator_cache_folder,
    trim_cache,
    visitor_cache_folder,
)
from microgpt.hub.fetch import Fetch, load
from microgpt.hub.repo import HubError, RepoRef, parse_repo
from microgpt.hub.upload import Published, publish

__all__ = [
    "BUNDLED",
    "Fetch",
    "HubError",
    "Loaded",
    "Origin",
    "Published",
    "RepoRef",
    "cached",
    "load",
    "load_bundled",
    "load_folder",
    "open_checkpoint",
    "operator_cache_folder",
    "operator_choice",
    "parse_repo",
    "publish",
    "trim_cache",
    "visitor_cache_folder",
]

BUNDLED = Path(__file__).parents[2] / "assets" / "checkpoint"


def load_folder(path: Path) -> Loaded:
    """Open a checkpoint folder of one's own. Raises CheckpointError."""
    return Loaded(checkpoint.load(path), Origin("folder", str(path)), path)


def load_bundled() -> Loaded:
    """Open the checkpoint that comes with the program. Raises CheckpointError."""
    return Loaded(checkpoint.load(BUNDLED), Origin("bundled", str(BUNDLED)), BUNDLED)


def operator_choice(
    environ: Mapping[str, str], secrets: Mapping[str, Any]
) -> Path | RepoRef | None:
    """What the operator set the app to open with; None means the bundled checkpoint.

    MICROGPT_CHECKPOINT, a folder, goes before MICROGPT_REPO, and the environment before the
    secrets. Raises HubError when MICROGPT_REPO names no repo.
    """

    def setting(name: str) -> str:
        value = environ.get(name, "")
        if not value:
            try:
                value = secrets.get(name, "")
            except FileNotFoundError:  # what st.secrets raises where there is no secrets file
                value = ""
        return str(value).strip()

    if folder := setting("MICROGPT_CHECKPOINT"):
        return Path(folder).expanduser()
    if repo := setting("MICROGPT_REPO"):
        return parse_repo(repo)
    return None


def open_checkpoint(text: str) -> Loaded:
    """Open what a command line names: a folder that is there, else a repo on the Hub.

    Raises CheckpointError or HubError.
    """
    if Path(text).exists():
        return load_folder(Path(text))
    try:
        ref = parse_repo(text)
        return load(ref.repo_id, ref.revision)
    except HubError as error:
        raise HubError(f"there is no folder {text!r} here, and as a repo: {error}") from error

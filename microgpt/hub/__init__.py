"""Which checkpoint to open: a local folder, a repo on the Hugging Face Hub, or the bundled one."""

import contextlib
import os.path
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint, CheckpointError, Origin
from microgpt.hub.copies import cached, visitor_cache_folder
from microgpt.hub.fetch import VISITOR_BYTES, VISITOR_SLOTS, Fetch, load
from microgpt.hub.repo import HubError, RepoRef, parse_repo
from microgpt.hub.upload import publish

__all__ = [
    "BUNDLED",
    "VISITOR_BYTES",
    "VISITOR_SLOTS",
    "Fetch",
    "HubError",
    "RepoRef",
    "cached",
    "load",
    "load_bundled",
    "load_folder",
    "open_checkpoint",
    "operator_choice",
    "parse_repo",
    "publish",
    "visitor_cache_folder",
]

BUNDLED = Path(__file__).parents[2] / "assets" / "checkpoint"


def load_folder(path: Path) -> Checkpoint:
    """Open a checkpoint folder of one's own. Raises CheckpointError."""
    return _load(path, "folder")


def load_bundled() -> Checkpoint:
    """Open the checkpoint that comes with the program. Raises CheckpointError."""
    return _load(BUNDLED, "bundled")


def _load(path: Path, kind: Literal["folder", "bundled"]) -> Checkpoint:
    try:
        return checkpoint.load(path, Origin(kind, str(path)))
    except OSError as error:  # a name that is too long, say
        raise CheckpointError(
            f"the folder {str(path)[:100]!r} cannot be read: {error.strerror}"
        ) from error


def operator_choice(environ: Mapping[str, str]) -> Path | RepoRef | None:
    """What the operator set the app to open with; None means the bundled checkpoint.

    MICROGPT_CHECKPOINT, a folder, goes before MICROGPT_REPO. Streamlit puts the secrets at the top
    of secrets.toml into os.environ when it reads that file, in place of what was set there, so
    they count here once it has. Raises HubError when what is set names no folder or no repo.
    """
    if folder := environ.get("MICROGPT_CHECKPOINT", "").strip():
        try:
            return Path(folder).expanduser()
        except RuntimeError as error:
            raise HubError(
                f"MICROGPT_CHECKPOINT is {folder[:100]!r}, in the home folder of nobody here; "
                "write the whole path"
            ) from error
    if repo := environ.get("MICROGPT_REPO", "").strip():
        return parse_repo(repo)
    return None


@contextlib.contextmanager
def _bar_on_stderr(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show bytes done and in all, once it is known that any are to come."""
    bar: tqdm | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        if total:
            if bar is None:
                bar = tqdm(desc=name, total=total, unit="B", unit_scale=True, file=sys.stderr)
            bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


def open_checkpoint(text: str) -> Checkpoint:
    """Open what a command line names: a folder that is there, else a repo on the Hub.

    A download shows its progress on stderr. Raises CheckpointError or HubError.
    """
    if os.path.exists(text):  # unlike Path.exists, also right about a text that is no path
        return load_folder(Path(text))
    try:
        ref = parse_repo(text)
        with _bar_on_stderr(str(ref)) as show:
            return load(ref.repo_id, ref.revision, progress=show)
    except HubError as error:
        short = text if len(text) <= 100 else f"{text[:100]}…"
        raise HubError(f"there is no folder {short!r} here, and as a repo: {error}") from error

"""The content of a folder, for tests that compare folders."""

from pathlib import Path

from microgpt import checkpoint

# The optional files of a checkpoint with a GPT, under the names of the current format.
GPT_PARTS = [
    name
    for name in checkpoint.OPTIONAL
    if name not in (checkpoint.OLD_SNAPSHOTS, checkpoint.CROSS_SCORES, checkpoint.CROSS_SNAPSHOTS)
]


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of each file of a folder, by its name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def names(folder: Path) -> set[str]:
    """The names of the files and folders in a folder."""
    return {path.name for path in folder.iterdir()}

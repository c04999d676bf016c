"""Checkpoints in the formats of other libraries.

Each format has a module of the same name in this package, with a function
export(checkpoint, folder), and an entry in EXPORTS.
"""

import importlib
from pathlib import Path

from microgpt.checkpoint import Checkpoint
from microgpt.errors import MicroGPTError

# What an export in each format is, for the help of --to. The name is also that of the module.
EXPORTS = {
    "transformers": (
        "a folder that AutoModelForCausalLM and AutoTokenizer can open without microgpt"
    ),
}


class InteropError(MicroGPTError):
    """A checkpoint cannot be expressed in another library's format."""


def export(checkpoint: Checkpoint, to: str, folder: Path) -> None:
    """Write a checkpoint to a folder atomically, in one of the formats of EXPORTS.

    Raises InteropError when the format cannot express the model, OSError when the folder cannot be
    written.
    """
    importlib.import_module(f"{__name__}.{to}").export(checkpoint, folder)

"""Checkpoints in the formats of other libraries, and models of other programs as checkpoints.

Each format of EXPORTS has a module of the same name in this package, with a function
export(checkpoint, folder). importing.py has a reader for each program of IMPORTS.
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
    "onnx": (
        "model.onnx, a graph with a key-value cache for ONNX Runtime and OpenVINO, and "
        "tokenizer.json for the tokenizers library; needs the package onnx"
    ),
    "nanogpt": "ckpt.pt and meta.pkl, which nanoGPT's sample.py opens",
}
# The programs whose models can be imported, for the help of `import`.
IMPORTS = {
    "nanogpt": "ckpt.pt, with VOCABULARY its meta.pkl",
    "mingpt": "the state dict of a model; needs --heads",
    "ng-video-lecture": "the state dict of the lecture's model, or of the original microGPT",
    "transformers": "a folder or repo of a GPT-2 whose tokens are single characters",
}


class InteropError(MicroGPTError):
    """A checkpoint cannot be written in another library's format, or a model not be imported."""


def export(checkpoint: Checkpoint, to: str, folder: str | Path) -> None:
    """Write a checkpoint to a folder atomically, in one of the formats of EXPORTS.

    Raises InteropError when the format cannot express the model or needs a package that is not
    installed, OSError when the folder cannot be written.
    """
    importlib.import_module(f"{__name__}.{to}").export(checkpoint, Path(folder))

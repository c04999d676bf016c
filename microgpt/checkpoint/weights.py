"""Read a checkpoint's weights: nothing is loaded before names, shapes and types are checked."""

import reprlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from microgpt.checkpoint.folder import CONFIG, MIB, WEIGHTS, CheckpointError, check_hash, sha256
from microgpt.model import GPT

_DTYPES = ("F16", "BF16", "F32")


def read_weights(folder: Path, model: GPT, hashes: dict[str, str]) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint that are those of a model, which may be on the meta device.

    Raises CheckpointError.
    """
    path = folder / WEIGHTS
    try:
        _check_tensors(path, model)
        check_hash(WEIGHTS, sha256(path), hashes)
        weights = load_file(path)
    except OSError as error:
        raise CheckpointError(f"{WEIGHTS} cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{WEIGHTS} is not a safetensors file, or not a whole one") from error
    if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise CheckpointError(f"{WEIGHTS} holds numbers that are not finite")
    return weights


def _check_tensors(path: Path, model: GPT) -> None:
    """Check that a file's tensors are the model's.

    safetensors checks that the file is as long as they need. Raises CheckpointError, OSError or
    SafetensorError.
    """
    with open(path, "rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
    if header_bytes > MIB:  # safetensors would read a header of 100 MB
        raise SafetensorError("the header is too large")
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        shapes = {name: (t.get_shape(), t.get_dtype()) for name, t in tensors.items()}
    expected = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    for name in expected | shapes:
        if name not in expected or name not in shapes:
            raise CheckpointError(
                f"{WEIGHTS} does not fit {CONFIG}: {reprlib.repr(name)} is in one of them only"
            )
        shape, dtype = shapes[name]
        if shape != expected[name] or dtype not in _DTYPES:
            raise CheckpointError(
                f"{WEIGHTS} does not fit {CONFIG}: {name} must be numbers of shape {expected[name]}"
            )

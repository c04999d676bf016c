"""The weights of a checkpoint: in float16, and checked before they are loaded."""

import reprlib
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from microgpt.checkpoint.folder import CONFIG, MIB, WEIGHTS, CheckpointError, check_hash, sha256
from microgpt.model import GPT

_DTYPES = ("F16", "BF16", "F32")


def half_precision(model: GPT) -> dict[str, torch.Tensor]:
    """The weights of a model in float16, on the CPU, as they are saved."""
    return {name: tensor.detach().cpu().half() for name, tensor in model.state_dict().items()}


def all_finite(tensors: Iterable[torch.Tensor]) -> bool:
    """Whether no tensor contains NaN or an infinite number."""
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def read_weights(folder: Path, model: GPT, hashes: dict[str, str]) -> dict[str, torch.Tensor]:
    """Read the weights of a checkpoint for a model, which may be on the meta device.

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
        raise CheckpointError(f"{WEIGHTS} is not a safetensors file, or is truncated") from error
    if not all_finite(weights.values()):
        raise CheckpointError(f"{WEIGHTS} contains NaN or infinite numbers")
    return weights


def _check_tensors(path: Path, model: GPT) -> None:
    """Check that the tensors of a file fit the model.

    safetensors itself checks the length of the file. Raises CheckpointError, OSError or
    SafetensorError.
    """
    with open(path, "rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
    if header_bytes > MIB:  # safetensors alone allows 100 MB
        raise SafetensorError("the header is too large")
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        shapes = {name: (t.get_shape(), t.get_dtype()) for name, t in tensors.items()}
    expected = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    for name in expected | shapes:
        if name not in expected or name not in shapes:
            raise CheckpointError(
                f"{WEIGHTS} does not fit {CONFIG}: {reprlib.repr(name)} is in only one of them"
            )
        shape, dtype = shapes[name]
        if shape != expected[name] or dtype not in _DTYPES:
            raise CheckpointError(
                f"{WEIGHTS} does not fit {CONFIG}: {name} must be numbers of shape {expected[name]}"
            )

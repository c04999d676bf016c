"""The weights of a checkpoint, which are checked before they are loaded.

A head that is tied to the token embedding is stored once, as the embedding.
"""

import hashlib
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from microgpt.checkpoint.folder import CONFIG, MIB, WEIGHTS, CheckpointError, check_hash
from microgpt.formats import FormatError, parse_json
from microgpt.model import Transformer

_DTYPES = ("F16", "BF16", "F32")


_HEAD, _EMBEDDING = "head.weight", "token_embedding.weight"


def stored(model: Transformer) -> dict[str, torch.Tensor]:
    """The tensors that a checkpoint of a model holds."""
    tensors = model.state_dict()
    return {
        name: each for name, each in tensors.items() if not (model.config.tied and name == _HEAD)
    }


def half_precision(model: Transformer) -> dict[str, torch.Tensor]:
    """The weights of a model in float16, on the CPU, as they are saved."""
    return {name: tensor.detach().cpu().half() for name, tensor in stored(model).items()}


def as_saved(model: Transformer, exact: bool) -> dict[str, torch.Tensor]:
    """The weights of a model, on the CPU, as they are saved: in float16.

    exact: in float32, if float16 would round a weight.
    """
    half = half_precision(model)
    whole = {name: tensor.detach().cpu() for name, tensor in stored(model).items()}
    if exact and not all(half[name].float().equal(tensor) for name, tensor in whole.items()):
        return whole
    return half


def assign_weights(model: Transformer, weights: dict[str, torch.Tensor]) -> None:
    """Make stored tensors the weights of a model, which may be on the meta device.

    Raises KeyError or RuntimeError if they do not fit the model.
    """
    tied = {_HEAD: weights[_EMBEDDING]} if model.config.tied else {}
    model.load_state_dict(weights | tied, assign=True)
    if tied:
        model.token_embedding.weight = model.head.weight


def all_finite(tensors: Iterable[torch.Tensor]) -> bool:
    """Whether no tensor contains NaN or an infinite number."""
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def read_weights(
    folder: Path, model: Transformer, hashes: dict[str, str]
) -> dict[str, torch.Tensor]:
    """Read the weights of a checkpoint as float32, for a model that may be on the meta device.

    The tensors do not depend on the file, which may change or shrink afterwards. Raises
    CheckpointError.
    """
    path = folder / WEIGHTS
    try:
        with open(path, "rb") as file:
            _check_tensors(_header(file), model)
            file.seek(0)
            data = file.read()
        stored = load(data)
        check_hash(WEIGHTS, hashlib.sha256(data).hexdigest(), hashes)
    except OSError as error:
        raise CheckpointError(f"{WEIGHTS} cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{WEIGHTS} is not a safetensors file, or is truncated") from error
    del data
    # Each stored tensor is freed once it is converted.
    weights = {name: stored.pop(name).float() for name in list(stored)}
    if not all_finite(weights.values()):
        raise CheckpointError(f"{WEIGHTS} contains NaN or infinite numbers")
    return weights


def _header(file: BinaryIO) -> dict[str, Any]:
    """Read the header of a safetensors file: the dtype and the shape of each tensor.

    Format: github.com/huggingface/safetensors. Raises SafetensorError or OSError.
    """
    size = int.from_bytes(file.read(8), "little")
    if size > MIB:  # safetensors alone allows 100 MB
        raise SafetensorError("the header is too large")
    try:
        header = parse_json(WEIGHTS, file.read(size))
    except FormatError as error:
        raise SafetensorError(str(error)) from error
    header.pop("__metadata__", None)
    return header


def _check_tensors(header: dict[str, Any], model: Transformer) -> None:
    """Check that the tensors of a file fit the model, before memory is allocated for them.

    safetensors itself checks that the file is as long as its header says. Raises CheckpointError.
    """
    expected = {name: list(tensor.shape) for name, tensor in stored(model).items()}
    for name in expected | header:
        if name not in expected or name not in header:
            raise CheckpointError(
                f"{WEIGHTS} does not fit {CONFIG}: {reprlib.repr(name)} is in only one of them"
            )
        entry = header[name] if isinstance(header[name], dict) else {}
        if entry.get("shape") != expected[name]:
            raise CheckpointError(
                f"{WEIGHTS} does not fit {CONFIG}: {name} must be numbers of shape {expected[name]}"
            )
        if entry.get("dtype") not in _DTYPES:
            raise CheckpointError(
                f"{name} in {WEIGHTS} has the dtype {reprlib.repr(entry.get('dtype'))}; "
                f"save it as {', '.join(_DTYPES[:-1])} or {_DTYPES[-1]}"
            )

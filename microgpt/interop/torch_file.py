"""Read a file of torch.save from outside: tensors and plain values only, and not too many."""

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from microgpt.interop import InteropError

# The weights in float32, and the two moments of each that an optimizer keeps.
MAX_BYTES = 4 * 10**9
# The largest pickle, which holds everything but the numbers of the tensors; that of nanoGPT's
# ckpt.pt has about 100,000 bytes.
MAX_PICKLE_BYTES = 2**23
# What torch.compile and DistributedDataParallel put before the names of the weights.
_PREFIXES = ("_orig_mod.", "module.")
_MAX_NAME = 1000  # characters of the name of a tensor


def read_torch(path: Path) -> dict[Any, Any]:
    """The dict in a file of torch.save, whose tensors stay on disk until they are used.

    Raises InteropError if the file cannot be read without running code, or is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except OSError as error:
        raise InteropError(f"{path.name} cannot be read: {error.strerror}") from error
    except MemoryError:
        raise
    except Exception as error:  # a malformed zip may raise anything
        raise InteropError(
            f"{path.name} is not a whole file of torch.save, such as ckpt.pt; one that was written "
            "before PyTorch 1.6 must be saved again with a newer PyTorch"
        ) from error
    size = sum(entry.file_size for entry in entries)
    if size > MAX_BYTES:
        raise InteropError(f"{path.name} holds {size:,} bytes; at most {MAX_BYTES:,} are allowed")
    # The numbers of compressed tensors would be taken for the numbers themselves.
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise InteropError(
            f"{path.name} is compressed, which torch.save never does; save it again with torch.save"
        )
    if any(
        entry.file_size > MAX_PICKLE_BYTES and entry.filename.endswith(".pkl") for entry in entries
    ):
        raise InteropError(
            f"{path.name} holds more text and numbers outside its tensors than a model has; save "
            "only model.state_dict()"
        )
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # a malformed file may raise anything
        raise InteropError(
            f"{path.name} cannot be read without running code in it: save the state dict of the "
            "model, or a dict of tensors, numbers and text, with torch.save"
        ) from error
    if not isinstance(found, dict):
        raise InteropError(f"{path.name} holds no state dict; save model.state_dict()")
    return found


def tensors_of(values: dict[Any, Any], name: str) -> dict[str, Tensor]:
    """The tensors of a state dict, without the prefixes of wrappers. Raises InteropError."""
    found = {}
    for key, value in values.items():
        if not isinstance(key, str) or len(key) > _MAX_NAME or not isinstance(value, Tensor):
            raise InteropError(f"{name} holds no state dict; save model.state_dict()")
        while key.startswith(_PREFIXES):
            key = key.partition(".")[2]
        found[key] = value
    # A tensor may claim to be larger than what it has in the file.
    if sum(tensor.numel() for tensor in found.values()) > MAX_BYTES // 4:
        raise InteropError(f"{name} holds more numbers than a checkpoint of microGPT can")
    return found


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is dense; a file may also hold sparse, quantized, nested and empty ones."""
    dense = tensor.layout is torch.strided and tensor.device.type == "cpu"  # and not `meta`
    return dense and not (tensor.is_quantized or tensor.is_nested)

"""Read a checkpoint folder that may come from anyone."""

import hashlib
import json
import math
import reprlib
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from microgpt.analysis.baselines import Baselines, BaselinesError
from microgpt.analysis.head_scores import HeadScores, HeadScoresError
from microgpt.checkpoint.folder import (
    ARCHITECTURE,
    BASELINES,
    CONFIG,
    EVOLUTION,
    FILES,
    HASHED,
    HEAD_SCORES,
    LOSS_RECORD,
    MIB,
    OPTIONAL,
    TOKENIZER,
    WEIGHTS,
    Checkpoint,
    CheckpointError,
    Origin,
    sha256,
)
from microgpt.checkpoint.loss_record import LossRecordError, from_csv
from microgpt.checkpoint.provenance import Training
from microgpt.checkpoint.snapshots import Snapshots, SnapshotsError
from microgpt.config import ConfigError, GPTConfig
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer, TokenizerError

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_DTYPES = {"F16": 2, "BF16": 2, "F32": 4}


def check_files(folder: Path) -> None:
    """Raise CheckpointError unless every required file is there and within its size."""
    if not folder.is_dir():
        raise CheckpointError(f"there is no checkpoint folder at {folder}")
    for name, most in FILES.items():
        path = folder / name
        if not path.is_file():
            pickles = [p.name for p in folder.iterdir() if p.suffix in _PICKLES]
            if name == WEIGHTS and pickles:
                raise CheckpointError(
                    f"the weights are in {pickles[0]}, a pickle, which can run code when read; "
                    f"save them as {WEIGHTS}"
                )
            raise CheckpointError(f"not a microGPT checkpoint: {name} is missing")
        _check_size(path, most)


def _check_size(path: Path, most: int) -> None:
    if path.stat().st_size > most:
        raise CheckpointError(
            f"{path.name} has {path.stat().st_size:,} bytes; at most {most:,} are read"
        )


def files_in(folder: Path, hashes: Mapping[str, str]) -> list[str]:
    """The names of a checkpoint's files: those required, and the optional ones that are there.

    An optional file without a hash is none of the checkpoint's.
    """
    optional = [name for name in OPTIONAL if name in hashes and (folder / name).is_file()]
    return [*FILES, *optional]


def read_config(folder: Path) -> tuple[GPTConfig, Training, dict[str, str]]:
    """The model's shape, the training's provenance and the files' SHA-256, from config.json.

    Raises CheckpointError.
    """
    try:
        values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.get("architecture") != ARCHITECTURE:
            raise CheckpointError(f'not a microGPT checkpoint: {CONFIG} does not say "microGPT"')
        training = Training.from_dict(values.get("training"))
        config = GPTConfig.from_dict(values.get("model"))
        hashes = values.get("sha256")
        if not isinstance(hashes, dict) or set(hashes) - set(OPTIONAL) != set(HASHED):
            raise CheckpointError(f"{CONFIG} must hold the SHA-256 of {', '.join(HASHED)}")
        return config, training, hashes
    except ConfigError as error:
        raise CheckpointError(f"{CONFIG}: {error}") from error
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{CONFIG} of the checkpoint cannot be read") from error


def _check_hash(name: str, found: str, hashes: dict[str, str]) -> None:
    if found != hashes[name]:
        raise CheckpointError(f"{name} is damaged: its SHA-256 is not the one in {CONFIG}")


def _read(folder: Path, name: str, hashes: dict[str, str]) -> bytes:
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror}") from error
    _check_hash(name, hashlib.sha256(data).hexdigest(), hashes)
    return data


def _read_text(folder: Path, name: str, hashes: dict[str, str]) -> str:
    try:
        return _read(folder, name, hashes).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{name} cannot be read: it is not UTF-8 text") from error


def _check_header(path: Path, model: GPT) -> None:
    """Check that a file's tensors are the model's, before memory is taken.

    Raises CheckpointError, OSError.
    """
    size = path.stat().st_size
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length >= min(size, MIB):
                raise ValueError("the header is too long")
            header = json.loads(file.read(length))
        tensors = {name: header[name] for name in header if name != "__metadata__"}
        shapes = {name: (tuple(t["shape"]), str(t["dtype"])) for name, t in tensors.items()}
    except (ValueError, TypeError, KeyError, struct.error, RecursionError) as error:
        raise CheckpointError(f"{WEIGHTS} is not a safetensors file") from error
    expected = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    for name in expected | shapes:
        if name not in expected or name not in shapes:
            raise CheckpointError(
                f"{WEIGHTS} does not fit {CONFIG}: {reprlib.repr(name)} is in one of them only"
            )
        shape, dtype = shapes[name]
        if shape != expected[name] or dtype not in _DTYPES:
            raise CheckpointError(
                f"{WEIGHTS} does not fit {CONFIG}: {name} must be numbers of shape "
                f"{list(expected[name])}"
            )
    needed = sum(math.prod(shape) * _DTYPES[dtype] for shape, dtype in shapes.values())
    if size != 8 + length + needed:
        raise CheckpointError(f"{WEIGHTS} is truncated or has bytes too many")


def _read_weights(folder: Path, model: GPT, hashes: dict[str, str]) -> dict[str, torch.Tensor]:
    path = folder / WEIGHTS
    try:
        _check_header(path, model)
        _check_hash(WEIGHTS, sha256(path), hashes)
        weights = load_file(path)
    except OSError as error:
        raise CheckpointError(f"{WEIGHTS} cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{WEIGHTS} is not a safetensors file") from error
    if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise CheckpointError(f"{WEIGHTS} holds numbers that are not finite")
    return weights


def _read_optional(
    folder: Path, config: GPTConfig, hashes: dict[str, str]
) -> tuple[Baselines | None, Snapshots | None, HeadScores | None]:
    names = files_in(folder, hashes)
    baselines = evolution = head_scores = None
    for name in set(names) & set(OPTIONAL):
        _check_size(folder / name, OPTIONAL[name])
    try:
        if BASELINES in names:
            text = _read_text(folder, BASELINES, hashes)
            baselines = Baselines.from_json(text, config.vocab_size)
        if EVOLUTION in names:
            data = _read(folder, EVOLUTION, hashes)
            evolution = Snapshots.from_npz(data, config.n_layer, config.n_head, config.vocab_size)
        if HEAD_SCORES in names:
            text = _read_text(folder, HEAD_SCORES, hashes)
            head_scores = HeadScores.from_json(text, config.n_layer, config.n_head)
    except (BaselinesError, SnapshotsError, HeadScoresError) as error:
        raise CheckpointError(str(error)) from error
    return baselines, evolution, head_scores


def load(folder: Path, origin: Origin | None = None) -> Checkpoint:
    """Read a checkpoint folder from anyone: sizes, shapes and the hashes are checked first.

    origin says where the folder came from, by default itself. Raises CheckpointError.
    """
    check_files(folder)
    config, training, hashes = read_config(folder)
    try:
        tokenizer = CharTokenizer.from_json(_read_text(folder, TOKENIZER, hashes))
        record = from_csv(_read_text(folder, LOSS_RECORD, hashes))
    except (TokenizerError, LossRecordError) as error:
        raise CheckpointError(str(error)) from error
    if tokenizer.vocab_size != config.vocab_size:
        raise CheckpointError(
            f"the vocabulary has {tokenizer.vocab_size} characters but the model was made for "
            f"{config.vocab_size}"
        )
    with torch.device("meta"):
        model = GPT(config)
    weights = _read_weights(folder, model, hashes)
    model.load_state_dict({name: t.float() for name, t in weights.items()}, assign=True)
    model.eval().requires_grad_(False)
    optional = _read_optional(folder, config, hashes)
    origin = origin or Origin("folder", str(folder))
    return Checkpoint(model, tokenizer, record, training, *optional, hashes[WEIGHTS], origin)

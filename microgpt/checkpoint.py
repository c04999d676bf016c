"""A checkpoint is a folder. Save it whole, read it with suspicion.

config.json       the model's shape, the SHA-256 of the other files, how it was trained
tokenizer.json    the vocabulary
model.safetensors the weights, half precision
loss_record.csv   how the loss fell
README.md         the model card
baselines.json    optional: what models that know less lose
evolution.npz     optional: what the model did at some steps of its training
head_scores.json  optional: what each of its heads looks at and is worth
"""

import hashlib
import json
import math
import reprlib
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from microgpt import atomic_folder
from microgpt.baselines import Baselines, BaselinesError
from microgpt.config import ConfigError, GPTConfig
from microgpt.engine import Engine
from microgpt.evolution import Evolution, EvolutionError
from microgpt.head_scores import HeadScores, HeadScoresError
from microgpt.loss_record import LossRecordError, LossRow, from_csv, to_csv
from microgpt.model import GPT
from microgpt.provenance import Training
from microgpt.tokenizer import CharTokenizer, TokenizerError

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
LOSS_RECORD, CARD = "loss_record.csv", "README.md"
BASELINES, EVOLUTION, HEAD_SCORES = "baselines.json", "evolution.npz", "head_scores.json"
MIB = 2**20
# The files every checkpoint has, and the most bytes each may have.
FILES = {
    CONFIG: MIB,
    TOKENIZER: MIB,
    WEIGHTS: 512 * 10**6,
    LOSS_RECORD: 16 * MIB,
    CARD: MIB,
}
# The files it may have besides; config.json says which.
OPTIONAL = {BASELINES: 16 * MIB, EVOLUTION: 16 * MIB, HEAD_SCORES: MIB}
# The required files whose SHA-256 is in config.json, where that of each optional one is too.
HASHED = (WEIGHTS, TOKENIZER, LOSS_RECORD)
ARCHITECTURE = "microGPT"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_DTYPES = {"F16": 2, "BF16": 2, "F32": 4}


class CheckpointError(ValueError):
    """A folder is not a checkpoint this program can use; the message says why in one sentence."""


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint; the model is in eval mode, float32, and is never written to.

    baselines, evolution and head_scores are None where the folder holds none.
    """

    model: GPT
    tokenizer: CharTokenizer
    loss_record: list[LossRow]
    training: Training
    weights_sha256: str
    baselines: Baselines | None
    evolution: Evolution | None
    head_scores: HeadScores | None

    @property
    def config(self) -> GPTConfig:
        return self.model.config

    @cached_property
    def engine(self) -> Engine:
        """What decodes with these weights, fast; made when it is first asked for."""
        return Engine(self.model)

    @property
    def fingerprint(self) -> str:
        """64 hex digits that differ for any two checkpoints that compute or read differently."""
        parts = [self.config.to_dict(), self.tokenizer.characters, self.weights_sha256]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")


def save(
    folder: Path,
    model: GPT,
    tokenizer: CharTokenizer,
    loss_record: list[LossRow],
    training: Training,
    card: str,
    baselines: Baselines | None = None,
    evolution: Evolution | None = None,
    head_scores: HeadScores | None = None,
) -> None:
    """Write a checkpoint folder whole or not at all; one that is there already is replaced.

    Weights are stored as float16. Raises CheckpointError when one does not fit, CheckpointError or
    OSError when the folder cannot be written.
    """
    weights = {name: t.detach().cpu().half() for name, t in model.state_dict().items()}
    if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise CheckpointError("the weights are not finite in half precision; nothing was written")
    try:
        with atomic_folder.replacing(folder) as partial:
            save_file(weights, partial / WEIGHTS)
            (partial / WEIGHTS).chmod(0o644)  # safetensors writes for the owner alone
            _write(partial / TOKENIZER, tokenizer.to_json())
            _write(partial / LOSS_RECORD, to_csv(loss_record))
            if baselines is not None:
                _write(partial / BASELINES, baselines.to_json())
            if evolution is not None:
                (partial / EVOLUTION).write_bytes(evolution.to_npz())
            if head_scores is not None:
                _write(partial / HEAD_SCORES, head_scores.to_json())
            config = {
                "architecture": ARCHITECTURE,
                "model": model.config.to_dict(),
                "sha256": {path.name: sha256(path) for path in sorted(partial.iterdir())},
                "training": asdict(training),
            }
            _write(partial / CONFIG, json.dumps(config, indent=1) + "\n")
            _write(partial / CARD, card)
    except SafetensorError as error:  # also where the disk is full
        raise CheckpointError(f"cannot write the weights of {folder}: {error}") from error


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
            header = json.loads(file.read(length)) if length < min(size, MIB) else None
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
) -> tuple[Baselines | None, Evolution | None, HeadScores | None]:
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
            evolution = Evolution.from_npz(data, config.n_layer, config.n_head, config.vocab_size)
        if HEAD_SCORES in names:
            text = _read_text(folder, HEAD_SCORES, hashes)
            head_scores = HeadScores.from_json(text, config.n_layer, config.n_head)
    except (BaselinesError, EvolutionError, HeadScoresError) as error:
        raise CheckpointError(str(error)) from error
    return baselines, evolution, head_scores


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint folder from anyone: sizes, shapes and the hashes are checked first.

    Raises CheckpointError, in one sentence that says what is wrong.
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
    return Checkpoint(model, tokenizer, record, training, hashes[WEIGHTS], *optional)

"""Load a checkpoint folder; its content is untrusted."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from microgpt.analysis.baselines import Baselines
from microgpt.analysis.head_scores import HeadScores, SnapshotScores
from microgpt.checkpoint.folder import (
    ARCHITECTURE,
    BASELINES,
    CONFIG,
    CONFIG_FIELDS,
    EVOLUTION,
    FILES,
    HASHED,
    HEAD_SCORES,
    LOSS_RECORD,
    OPTIONAL,
    SNAPSHOT_SCORES,
    SNAPSHOTS,
    TOKENIZER,
    WEIGHTS,
    Checkpoint,
    CheckpointError,
    Origin,
    check_hash,
    check_size,
)
from microgpt.checkpoint.loss_record import LossRecordError, from_csv
from microgpt.checkpoint.provenance import Training
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.checkpoint.weights import read_weights
from microgpt.config import ConfigError, GPTConfig
from microgpt.errors import MicroGPTError
from microgpt.formats import FormatError, decode, read_json
from microgpt.model import without_weights
from microgpt.tokenizer import CharTokenizer, TokenizerError

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def check_files(folder: Path) -> None:
    """Raise CheckpointError if a required file is missing or too large."""
    if not folder.is_dir():
        raise CheckpointError(
            f"there is no checkpoint folder at {folder}",
            f"there is no checkpoint folder {Origin('folder', str(folder)).short_name!r}",
        )
    for name, limit in FILES.items():
        path = folder / name
        if not path.is_file():
            pickles = [p.name for p in folder.iterdir() if p.suffix in _PICKLES]
            if name == WEIGHTS and pickles:
                raise CheckpointError(
                    f"the weights are in {pickles[0]}, a pickle, which can run code when loaded; "
                    f"save them as {WEIGHTS}"
                )
            raise CheckpointError(f"not a microGPT checkpoint: {name} is missing")
        check_size(path, limit)


def files_in(folder: Path, hashes: Mapping[str, str]) -> list[str]:
    """The names of a checkpoint's files: the required ones and the optional ones that exist.

    An optional file without a hash does not belong to the checkpoint.
    """
    optional = [name for name in OPTIONAL if name in hashes and (folder / name).is_file()]
    return [*FILES, *optional]


def read_config(folder: Path) -> tuple[GPTConfig, Training, dict[str, str]]:
    """Read config.json: the model's shape, its training and the SHA-256 of the other files.

    Raises CheckpointError.
    """
    try:
        document = read_json(CONFIG, (folder / CONFIG).read_bytes())
        values = document.values
        if values.get("architecture") != ARCHITECTURE:
            raise CheckpointError(f'not a microGPT checkpoint: {CONFIG} does not say "microGPT"')
        document.known(values, CONFIG_FIELDS)
        training = Training.from_dict(values.get("training"), document)
        config = GPTConfig.from_dict(values.get("model"), document)
        hashes = values.get("sha256")
        if not isinstance(hashes, dict) or not set(hashes) >= set(HASHED):
            raise CheckpointError(f"{CONFIG} must hold the SHA-256 of {', '.join(HASHED)}")
        return config, training, document.known(hashes, (*HASHED, *OPTIONAL), "file")
    except ConfigError as error:
        raise CheckpointError(f"{CONFIG}: {error}") from error
    except FormatError as error:
        raise CheckpointError(str(error)) from error
    except OSError as error:
        raise CheckpointError(f"{CONFIG} cannot be read: {error.strerror}") from error


def _read(folder: Path, name: str, hashes: dict[str, str]) -> bytes:
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror}") from error
    check_hash(name, hashlib.sha256(data).hexdigest(), hashes)
    return data


def _read_text(folder: Path, name: str, hashes: dict[str, str]) -> str:
    try:
        return decode(name, _read(folder, name, hashes))
    except FormatError as error:
        raise CheckpointError(str(error)) from error


def _readers(config: GPTConfig) -> dict[str, tuple[str, Callable[[bytes], Any]]]:
    """For each optional file, the attribute of Checkpoint that it fills and its parser."""
    layers, heads, vocab = config.n_layer, config.n_head, config.vocab_size

    def snapshots(data: bytes) -> Snapshots:
        return Snapshots.from_npz(data, layers, heads, vocab)

    def snapshot_scores(data: bytes) -> SnapshotScores:
        return SnapshotScores.from_json(data, layers, heads)

    return {
        BASELINES: ("baselines", lambda data: Baselines.from_json(data, vocab)),
        SNAPSHOTS: ("snapshots", snapshots),
        EVOLUTION: ("snapshots", snapshots),
        HEAD_SCORES: ("head_scores", lambda data: HeadScores.from_json(data, layers, heads)),
        SNAPSHOT_SCORES: ("snapshot_scores", snapshot_scores),
    }


def _read_optional(
    folder: Path, config: GPTConfig, hashes: dict[str, str], strict: bool
) -> tuple[dict[str, Any], list[str]]:
    """Read the optional files: values by attribute of Checkpoint, and a note per unusable file."""
    parts: dict[str, Any] = {}
    notes = []
    for name, (part, read) in _readers(config).items():
        if name not in hashes or part in parts:
            continue
        if not (folder / name).is_file():
            notes.append(f"{name} is listed in {CONFIG} but not in the folder")
            continue
        try:
            check_size(folder / name, OPTIONAL[name])
            parts[part] = read(_read(folder, name, hashes))
        except MicroGPTError as error:
            if strict:
                raise CheckpointError(str(error)) from error
            notes.append(f"{error}; {name} is left out")
    return parts, notes


def load(folder: Path, origin: Origin | None = None, strict: bool = False) -> Checkpoint:
    """Load a checkpoint folder; sizes, shapes and hashes are checked first.

    origin: the source of the folder, by default the folder itself. strict: raise for an optional
    file that cannot be used; otherwise the file is treated as absent, and the notes say why. Raises
    CheckpointError.
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
    model = without_weights(config)
    model.load_state_dict(read_weights(folder, model, hashes), assign=True)
    model.eval().requires_grad_(False)
    parts, notes = _read_optional(folder, config, hashes, strict)
    return Checkpoint(
        model,
        tokenizer,
        record,
        training,
        **parts,
        weights_sha256=hashes[WEIGHTS],
        origin=origin or Origin("folder", str(folder)),
        notes=tuple(notes),
    )

"""Save a checkpoint folder, and add optional files to it."""

import hashlib
import json
from collections.abc import Set
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import save as to_safetensors

from microgpt import atomic
from microgpt.analysis.baselines import Baselines
from microgpt.analysis.context_length import ContextLosses
from microgpt.analysis.head_scores import HeadScores, SnapshotScores
from microgpt.checkpoint import model_card, pair_card
from microgpt.checkpoint.folder import (
    ARCHITECTURE,
    BASELINES,
    CARD,
    CONFIG,
    CONTEXT_LOSSES,
    FILES,
    HEAD_SCORES,
    LOSS_RECORD,
    OLD_SNAPSHOTS,
    OPTIONAL,
    PAIR_KIND,
    SNAPSHOT_SCORES,
    SNAPSHOTS,
    TOKENIZER,
    WEIGHTS,
    AnyCheckpoint,
    Checkpoint,
    CheckpointError,
    PairCheckpoint,
    check_size,
    sha256,
)
from microgpt.checkpoint.loss_record import to_csv
from microgpt.checkpoint.optional_files import content_of, contents, parts_of
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.checkpoint.weights import all_finite, as_saved
from microgpt.config import GPTConfig
from microgpt.formats import FORMAT, ignorable_fields, stamped


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")


def _config_text(checkpoint: AnyCheckpoint, hashes: dict[str, str]) -> str:
    config, training = checkpoint.config, checkpoint.training
    values = {
        "architecture": ARCHITECTURE,
        **({"kind": PAIR_KIND} if isinstance(checkpoint, PairCheckpoint) else {}),
        "model": config.to_dict(),
        "sha256": hashes,
        "training": asdict(training),
    }
    optional = config.ignorable() | training.config.ignorable() | ignorable_fields(training)
    return json.dumps(stamped(values, optional | (hashes.keys() & OPTIONAL)), indent=1) + "\n"


def save(folder: str | Path, checkpoint: AnyCheckpoint, exact: bool = False) -> None:
    """Save a checkpoint to a folder in one atomic step; an existing folder is replaced.

    Weights are stored as float16. exact: store them as float32 if float16 would round one. An
    optional part that would be too large to load is left out. Raises CheckpointError if a weight
    is not finite as it is stored or another file would be too large, and OSError if the folder
    cannot be written.
    """
    weights = as_saved(checkpoint.model, exact)
    if not all_finite(weights.values()):
        raise CheckpointError("the weights are not finite in half precision; nothing was written")
    with atomic.replacing(Path(folder)) as partial:
        partial.mkdir()
        (partial / WEIGHTS).write_bytes(to_safetensors(weights))
        _write(partial / TOKENIZER, checkpoint.tokenizer.to_json())
        _write(partial / LOSS_RECORD, to_csv(checkpoint.loss_record))
        for name, content in contents(checkpoint).items():
            if len(content) <= OPTIONAL[name]:
                (partial / name).write_bytes(content)
        hashes = {path.name: sha256(path) for path in sorted(partial.iterdir())}
        _write(partial / CONFIG, _config_text(checkpoint, hashes))
        _write(partial / CARD, card(checkpoint))
        for name, limit in FILES.items():
            check_size(partial / name, limit)


def card(checkpoint: AnyCheckpoint) -> str:
    """The model card of a checkpoint of either kind."""
    if isinstance(checkpoint, PairCheckpoint):
        return pair_card.render(checkpoint)
    assert isinstance(checkpoint, Checkpoint)
    return model_card.render(checkpoint)


def add_baselines(folder: str | Path, baselines: Baselines, config: GPTConfig) -> None:
    """Add the baselines to a checkpoint folder, or replace them.

    Raises BaselinesError for baselines that could not be loaded again, CheckpointError if they
    would be too large, and OSError if the folder cannot be written.
    """
    _add(folder, BASELINES, baselines, config)


def add_head_scores(
    folder: str | Path, scores: HeadScores | SnapshotScores, config: GPTConfig
) -> None:
    """Add head scores, of the model or of its snapshots, to a checkpoint folder, or replace them.

    Raises HeadScoresError for scores that could not be loaded again, CheckpointError if they would
    be too large, and OSError if the folder cannot be written.
    """
    name = HEAD_SCORES if isinstance(scores, HeadScores) else SNAPSHOT_SCORES
    _add(folder, name, scores, config)


def add_context_losses(folder: str | Path, losses: ContextLosses, config: GPTConfig) -> None:
    """Add the losses by context length to a checkpoint folder, or replace them.

    Raises ContextLossesError for losses that could not be loaded again, CheckpointError if they
    would be too large, and OSError if the folder cannot be written.
    """
    _add(folder, CONTEXT_LOSSES, losses, config)


def add_snapshots(folder: str | Path, snapshots: Snapshots, config: GPTConfig) -> None:
    """Add snapshots to a checkpoint folder, or replace them.

    Raises SnapshotsError for snapshots that could not be loaded again, and OSError if the folder
    cannot be written.
    """
    _add(folder, SNAPSHOTS, snapshots, config, also_remove=OLD_SNAPSHOTS)


def _add(
    folder: str | Path, name: str, part: Any, config: GPTConfig, also_remove: str | None = None
) -> None:
    """Write an optional file to a checkpoint folder, and its hash to config.json.

    also_remove: an older file that the new one replaces. If the process is killed, the folder can
    still be loaded, possibly without the file. Raises the error of the parser for a part that could
    not be loaded again, CheckpointError for a file that would be too large to load, and OSError if
    the folder cannot be written.
    """
    folder, content = Path(folder), content_of(name, part)
    _, parse = parts_of(config)[name]
    parse(content)
    if len(content) > OPTIONAL[name]:
        raise CheckpointError(
            f"{name} would have {len(content):,} bytes; at most {OPTIONAL[name]:,} are allowed"
        )
    values = _config(folder)
    hashes = dict(sorted({**values["sha256"], name: hashlib.sha256(content).hexdigest()}.items()))
    hashes.pop(also_remove, None)
    others = {key: each for key, each in hashes.items() if key != name}
    _replace(folder / CONFIG, _edited(values, {name}, {also_remove}, sha256=others))
    _replace(folder / name, content)
    _replace(folder / CONFIG, _edited(values, {name}, {also_remove}, sha256=hashes))
    if also_remove is not None:
        (folder / also_remove).unlink(missing_ok=True)


def replace_training(folder: str | Path, checkpoint: AnyCheckpoint) -> None:
    """Write the provenance of a checkpoint to its folder: to config.json and to the model card.

    Every other file stays as it is. Raises OSError if the folder cannot be written.
    """
    folder, optional = Path(folder), ignorable_fields(checkpoint.training)
    config = _edited(_config(folder), optional, training=asdict(checkpoint.training))
    _replace(folder / CONFIG, config)
    _replace(folder / CARD, card(checkpoint).encode())


def _config(folder: Path) -> dict[str, Any]:
    return json.loads((folder / CONFIG).read_text(encoding="utf-8"))


def _edited(
    values: dict[str, Any], listed: Set[str], removed: Set[str | None] = frozenset(), **fields: Any
) -> bytes:
    """The content of config.json with some fields replaced.

    listed, removed: names to add to its list `optional`, and to remove from it.
    """
    optional = sorted({*values.get("optional", ()), *listed} - removed)
    stamp = {"format": max(values.get("format", 1), FORMAT), "optional": optional}
    rest = {key: each for key, each in values.items() if key not in stamp}
    return (json.dumps(stamp | rest | fields, indent=1) + "\n").encode()


def _replace(path: Path, content: bytes) -> None:
    with atomic.replacing(path) as partial:
        partial.write_bytes(content)

"""Save a checkpoint folder, and add optional files to it."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save as to_safetensors

from microgpt import atomic
from microgpt.analysis.head_scores import HeadScores, SnapshotScores
from microgpt.checkpoint import model_card
from microgpt.checkpoint.folder import (
    ARCHITECTURE,
    BASELINES,
    CARD,
    CONFIG,
    EVOLUTION,
    FILES,
    HEAD_SCORES,
    LOSS_RECORD,
    OPTIONAL,
    SNAPSHOT_SCORES,
    SNAPSHOTS,
    TOKENIZER,
    WEIGHTS,
    Checkpoint,
    CheckpointError,
    check_size,
    sha256,
)
from microgpt.checkpoint.loss_record import to_csv
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.checkpoint.weights import all_finite, half_precision
from microgpt.config import GPTConfig
from microgpt.formats import FORMAT, ignorable_fields, stamped


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")


def _config_text(checkpoint: Checkpoint, hashes: dict[str, str]) -> str:
    config, training = checkpoint.config, checkpoint.training
    values = {
        "architecture": ARCHITECTURE,
        "model": config.to_dict(),
        "sha256": hashes,
        "training": asdict(training),
    }
    optional = config.ignorable() | training.config.ignorable() | ignorable_fields(training)
    return json.dumps(stamped(values, optional | (hashes.keys() & OPTIONAL)), indent=1) + "\n"


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Save a checkpoint to a folder in one atomic step; an existing folder is replaced.

    Weights are stored as float16. An optional part that would be too large to load is left out.
    Raises CheckpointError if a weight is not finite in float16 or another file would be too large,
    and OSError if the folder cannot be written.
    """
    weights = half_precision(checkpoint.model)
    if not all_finite(weights.values()):
        raise CheckpointError("the weights are not finite in half precision; nothing was written")
    with atomic.replacing(folder) as partial:
        partial.mkdir()
        (partial / WEIGHTS).write_bytes(to_safetensors(weights))
        _write(partial / TOKENIZER, checkpoint.tokenizer.to_json())
        _write(partial / LOSS_RECORD, to_csv(checkpoint.loss_record))
        for name, content in _optional_files(checkpoint).items():
            if len(content) <= OPTIONAL[name]:
                (partial / name).write_bytes(content)
        hashes = {path.name: sha256(path) for path in sorted(partial.iterdir())}
        _write(partial / CONFIG, _config_text(checkpoint, hashes))
        _write(partial / CARD, model_card.render(checkpoint))
        for name, limit in FILES.items():
            check_size(partial / name, limit)


def _optional_files(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The content of the optional files of the parts that a checkpoint has."""
    files = {}
    if checkpoint.baselines is not None:
        files[BASELINES] = checkpoint.baselines.to_json().encode()
    if checkpoint.snapshots is not None:
        files[SNAPSHOTS] = checkpoint.snapshots.to_npz()
    if checkpoint.head_scores is not None:
        files[HEAD_SCORES] = checkpoint.head_scores.to_json().encode()
    if checkpoint.snapshot_scores is not None:
        files[SNAPSHOT_SCORES] = checkpoint.snapshot_scores.to_json().encode()
    return files


def add_head_scores(folder: Path, scores: HeadScores, config: GPTConfig) -> None:
    """Add head scores to a checkpoint folder, or replace them.

    Raises HeadScoresError for scores that could not be loaded again, and OSError if the folder
    cannot be written.
    """
    text = scores.to_json()
    HeadScores.from_json(text, config.n_layer, config.n_head)
    replace_optional(folder, HEAD_SCORES, text.encode())


def add_snapshot_scores(folder: Path, scores: SnapshotScores, config: GPTConfig) -> None:
    """Add head scores at snapshots to a checkpoint folder, or replace them.

    Raises HeadScoresError for scores that could not be loaded again, and OSError if the folder
    cannot be written.
    """
    text = scores.to_json()
    SnapshotScores.from_json(text, config.n_layer, config.n_head)
    replace_optional(folder, SNAPSHOT_SCORES, text.encode())


def add_snapshots(folder: Path, snapshots: Snapshots, config: GPTConfig) -> None:
    """Add snapshots to a checkpoint folder, or replace them.

    Raises SnapshotsError for snapshots that could not be loaded again, and OSError if the folder
    cannot be written.
    """
    content = snapshots.to_npz()
    Snapshots.from_npz(content, config.n_layer, config.n_head, config.vocab_size)
    replace_optional(folder, SNAPSHOTS, content, also_remove=EVOLUTION)


def replace_training(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the provenance of a checkpoint to its folder: to config.json and to the model card.

    Every other file stays as it is. Raises OSError if the folder cannot be written.
    """
    values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    optional = sorted({*values.pop("optional", ()), *ignorable_fields(checkpoint.training)})
    stamp = {"format": max(values.pop("format", 1), FORMAT), "optional": optional}
    text = json.dumps({**stamp, **values, "training": asdict(checkpoint.training)}, indent=1)
    for name, content in ((CONFIG, text + "\n"), (CARD, model_card.render(checkpoint))):
        with atomic.replacing(folder / name) as partial:
            partial.write_bytes(content.encode())


def replace_optional(
    folder: Path, name: str, content: bytes, also_remove: str | None = None
) -> None:
    """Write an optional file to a checkpoint folder, and its hash to config.json.

    also_remove: an older file that the new one replaces. If the process is killed, the folder can
    still be loaded, possibly without the file. Raises CheckpointError if the file would be too
    large to load, and OSError if the folder cannot be written.
    """
    if len(content) > OPTIONAL[name]:
        raise CheckpointError(
            f"{name} would have {len(content):,} bytes; at most {OPTIONAL[name]:,} are allowed"
        )
    values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    optional = sorted({*values.pop("optional", ()), name} - {also_remove})
    stamp = {"format": max(values.pop("format", 1), FORMAT), "optional": optional}
    others = {key: each for key, each in values["sha256"].items() if key not in (name, also_remove)}
    hashes = others | {name: hashlib.sha256(content).hexdigest()}
    unlisted, listed = (
        (json.dumps({**stamp, **values, "sha256": dict(sorted(each.items()))}, indent=1) + "\n")
        for each in (others, hashes)
    )
    for file, data in ((CONFIG, unlisted.encode()), (name, content), (CONFIG, listed.encode())):
        with atomic.replacing(folder / file) as partial:
            partial.write_bytes(data)
    if also_remove is not None:
        (folder / also_remove).unlink(missing_ok=True)

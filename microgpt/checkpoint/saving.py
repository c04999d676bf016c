"""Write a checkpoint folder whole or not at all."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file

from microgpt import atomic
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint import model_card
from microgpt.checkpoint.folder import (
    ARCHITECTURE,
    BASELINES,
    CARD,
    CONFIG,
    EVOLUTION,
    HEAD_SCORES,
    LOSS_RECORD,
    TOKENIZER,
    WEIGHTS,
    Checkpoint,
    CheckpointError,
    sha256,
)
from microgpt.checkpoint.loss_record import to_csv
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.config import GPTConfig


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint folder whole or not at all; one that is there already is replaced.

    Weights are stored as float16. Raises CheckpointError when one does not fit, CheckpointError or
    OSError when the folder cannot be written.
    """
    weights = {name: t.detach().cpu().half() for name, t in checkpoint.model.state_dict().items()}
    if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise CheckpointError("the weights are not finite in half precision; nothing was written")
    try:
        with atomic.replacing(folder) as partial:
            partial.mkdir()
            save_file(weights, partial / WEIGHTS)
            (partial / WEIGHTS).chmod(0o644)  # safetensors writes for the owner alone
            _write(partial / TOKENIZER, checkpoint.tokenizer.to_json())
            _write(partial / LOSS_RECORD, to_csv(checkpoint.loss_record))
            if checkpoint.baselines is not None:
                _write(partial / BASELINES, checkpoint.baselines.to_json())
            if checkpoint.snapshots is not None:
                (partial / EVOLUTION).write_bytes(checkpoint.snapshots.to_npz())
            if checkpoint.head_scores is not None:
                _write(partial / HEAD_SCORES, checkpoint.head_scores.to_json())
            config = {
                "architecture": ARCHITECTURE,
                "model": checkpoint.config.to_dict(),
                "sha256": {path.name: sha256(path) for path in sorted(partial.iterdir())},
                "training": asdict(checkpoint.training),
            }
            _write(partial / CONFIG, json.dumps(config, indent=1) + "\n")
            _write(partial / CARD, model_card.render(checkpoint))
    except SafetensorError as error:  # also where the disk is full
        raise CheckpointError(f"cannot write the weights of {folder}: {error}") from error


def add_head_scores(folder: Path, scores: HeadScores, config: GPTConfig) -> None:
    """Write head_scores.json into a checkpoint folder.

    Raises HeadScoresError for scores that could not be read again, OSError when the folder cannot
    be written.
    """
    text = scores.to_json()
    HeadScores.from_json(text, config.n_layer, config.n_head)
    replace_optional(folder, HEAD_SCORES, text.encode())


def add_snapshots(folder: Path, snapshots: Snapshots, config: GPTConfig) -> None:
    """Write the snapshots into a checkpoint folder.

    Raises SnapshotsError for snapshots that could not be read again, OSError when the folder
    cannot be written.
    """
    content = snapshots.to_npz()
    Snapshots.from_npz(content, config.n_layer, config.n_head, config.vocab_size)
    replace_optional(folder, EVOLUTION, content)


def replace_optional(folder: Path, name: str, content: bytes) -> None:
    """Write an optional file into a checkpoint folder, and its hash into config.json.

    If the writer is killed, the folder still loads, at worst without that file. Raises OSError when
    the folder cannot be written.
    """
    values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    hashes = {key: value for key, value in values["sha256"].items() if key != name}
    unlisted, listed = (
        (json.dumps(values | {"sha256": each}, indent=1) + "\n").encode()
        for each in (
            hashes,
            dict(sorted((hashes | {name: hashlib.sha256(content).hexdigest()}).items())),
        )
    )
    for file, data in ((CONFIG, unlisted), (name, content), (CONFIG, listed)):
        with atomic.replacing(folder / file) as partial:
            partial.write_bytes(data)

"""The files of a checkpoint folder, and the Checkpoint object in memory."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path
from typing import Literal

import numpy as np

from microgpt.analysis.baselines import Baselines
from microgpt.analysis.head_scores import HeadScores, SnapshotScores
from microgpt.checkpoint.loss_record import LossRow, by_column
from microgpt.checkpoint.provenance import Training, storable
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.config import GPTConfig
from microgpt.errors import MicroGPTError
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
LOSS_RECORD, CARD = "loss_record.csv", "README.md"
BASELINES, SNAPSHOTS, HEAD_SCORES = "baselines.json", "snapshots.npz", "head_scores.json"
SNAPSHOT_SCORES = "snapshot_scores.json"
EVOLUTION = "evolution.npz"  # the name of snapshots.npz in format 1
MIB = 2**20
# The required files, and the largest size of each in bytes.
FILES = {
    CONFIG: MIB,
    TOKENIZER: MIB,
    WEIGHTS: 512 * 10**6,
    LOSS_RECORD: 16 * MIB,
    CARD: MIB,
}
# The optional files, and their largest sizes; config.json lists those that are present.
OPTIONAL = {
    BASELINES: 16 * MIB,
    SNAPSHOTS: 16 * MIB,
    EVOLUTION: 16 * MIB,
    HEAD_SCORES: MIB,
    SNAPSHOT_SCORES: MIB,
}
# config.json holds the SHA-256 of these required files, and of every optional file.
HASHED = (WEIGHTS, TOKENIZER, LOSS_RECORD)
ARCHITECTURE = "microGPT"
# Without snapshots, the passage repeats so many characters until it has this length.
_FREQUENT, _PASSAGE_LENGTH = 24, 72
CONFIG_FIELDS = ("architecture", "model", "sha256", "training")


class CheckpointError(MicroGPTError):
    """A folder cannot be used as a checkpoint."""


@dataclass(frozen=True)
class Origin:
    """The source of a checkpoint: the path of a folder, or a repo and its commit."""

    kind: Literal["folder", "hub", "bundled"]
    name: str
    commit: str | None = None

    @property
    def short_name(self) -> str:
        """The repo, or the name of the folder without its path, as valid Unicode."""
        return self.name if self.kind == "hub" else storable(Path(self.name).absolute().name)


@dataclass(frozen=True)
class Checkpoint:
    """A model, its training, and the measurements on it.

    model: after loading, in eval mode and float32; sessions share it, so never change it.
    baselines, snapshots, head_scores, snapshot_scores: None if the file is absent. weights_sha256,
    origin: those of the files that were read, None before the checkpoint is saved. notes: for each
    listed optional file that cannot be used, a sentence without its full stop.
    """

    model: GPT
    tokenizer: CharTokenizer
    loss_record: list[LossRow]
    training: Training
    baselines: Baselines | None = None
    snapshots: Snapshots | None = None
    head_scores: HeadScores | None = None
    snapshot_scores: SnapshotScores | None = None
    weights_sha256: str | None = None
    origin: Origin | None = None
    notes: tuple[str, ...] = ()

    @property
    def config(self) -> GPTConfig:
        return self.model.config

    @property
    def passage(self) -> str:
        """A text like the corpus: the passage of the snapshots, or else frequent characters.

        The characters are in the order of their frequency if the checkpoint has baselines, and
        repeat, so that every tab has something to show.
        """
        if self.snapshots is not None and len(self.snapshots.passage) > 1:
            return self.tokenizer.decode(self.snapshots.passage)
        characters = self.tokenizer.characters
        if self.baselines is not None:
            order = self.baselines.unigram.argsort(descending=True, stable=True)
            characters = self.tokenizer.decode(order)
        return "".join(islice(cycle(characters[:_FREQUENT]), _PASSAGE_LENGTH))

    @cached_property
    def loss_columns(self) -> dict[str, np.ndarray]:
        """The loss record by column, NaN where nothing was measured; do not change it."""
        return by_column(self.loss_record)

    @property
    def fingerprint(self) -> str:
        """64 hex digits that identify the config, the vocabulary and the weights."""
        parts = [self.config.to_dict(), self.tokenizer.characters, self.weights_sha256]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_size(path: Path, limit: int) -> None:
    """Raise CheckpointError if a file is larger than the limit."""
    if path.stat().st_size > limit:
        raise CheckpointError(
            f"{path.name} has {path.stat().st_size:,} bytes; at most {limit:,} are allowed"
        )


def check_hash(name: str, found: str, hashes: Mapping[str, object]) -> None:
    """Raise CheckpointError unless a file's SHA-256 is the one in config.json."""
    if found != hashes[name]:
        raise CheckpointError(f"{name} is damaged: its SHA-256 is not the one in {CONFIG}")

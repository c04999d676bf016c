"""What a checkpoint is: a folder of files on disk, one object in memory."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from microgpt.analysis.baselines import Baselines
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.provenance import Training
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.config import GPTConfig
from microgpt.errors import MicroGPTError
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
LOSS_RECORD, CARD = "loss_record.csv", "README.md"
BASELINES, SNAPSHOTS, HEAD_SCORES = "baselines.json", "snapshots.npz", "head_scores.json"
EVOLUTION = "evolution.npz"  # what snapshots.npz is called in format 1
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
OPTIONAL = {BASELINES: 16 * MIB, SNAPSHOTS: 16 * MIB, EVOLUTION: 16 * MIB, HEAD_SCORES: MIB}
# The required files whose SHA-256 is in config.json, where that of each optional one is too.
HASHED = (WEIGHTS, TOKENIZER, LOSS_RECORD)
ARCHITECTURE = "microGPT"
CONFIG_FIELDS = ("architecture", "model", "sha256", "training")


class CheckpointError(MicroGPTError):
    """A folder is not a checkpoint this program can use; the message says why in one sentence."""


@dataclass(frozen=True)
class Origin:
    """Where a checkpoint was read from: a folder's path, or a repo and its commit."""

    kind: Literal["folder", "hub", "bundled"]
    name: str
    commit: str | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A model, how it was trained, and what was measured on it.

    The model of a loaded checkpoint is in eval mode, float32, and is never written to.
    weights_sha256 and origin are those of the files it was read from, None before it is saved.
    baselines, snapshots and head_scores are None where there are none. notes: a sentence without
    its full stop for each optional file that config.json lists and that cannot be used.
    """

    model: GPT
    tokenizer: CharTokenizer
    loss_record: list[LossRow]
    training: Training
    baselines: Baselines | None = None
    snapshots: Snapshots | None = None
    head_scores: HeadScores | None = None
    weights_sha256: str | None = None
    origin: Origin | None = None
    notes: tuple[str, ...] = ()

    @property
    def config(self) -> GPTConfig:
        return self.model.config

    @property
    def fingerprint(self) -> str:
        """64 hex digits that differ for any two checkpoints that compute or read differently."""
        parts = [self.config.to_dict(), self.tokenizer.characters, self.weights_sha256]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_hash(name: str, found: str, hashes: Mapping[str, object]) -> None:
    """Raise CheckpointError unless a file's SHA-256 is the one in config.json."""
    if found != hashes[name]:
        raise CheckpointError(f"{name} is damaged: its SHA-256 is not the one in {CONFIG}")

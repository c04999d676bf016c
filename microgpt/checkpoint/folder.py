"""The files of a checkpoint folder, and the Checkpoint object in memory."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path
from typing import Literal

import numpy as np

from microgpt.analysis.baselines import Baselines
from microgpt.analysis.context_length import ContextLosses
from microgpt.analysis.cross_scores import CrossScores
from microgpt.analysis.head_scores import HeadScores, SnapshotScores
from microgpt.checkpoint.loss_record import LossRow, by_column
from microgpt.checkpoint.pair_snapshots import PairSnapshots
from microgpt.checkpoint.provenance import Training, storable
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.config import EncoderDecoderConfig, GPTConfig
from microgpt.encoder_decoder import EncoderDecoder
from microgpt.errors import MicroGPTError
from microgpt.model import GPT, Transformer
from microgpt.tokenizer import CharTokenizer

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
LOSS_RECORD, CARD = "loss_record.csv", "README.md"
BASELINES, SNAPSHOTS, HEAD_SCORES = "baselines.json", "snapshots.npz", "head_scores.json"
SNAPSHOT_SCORES, CONTEXT_LOSSES = "snapshot_scores.json", "context_losses.json"
CROSS_SCORES, CROSS_SNAPSHOTS = "cross_scores.json", "cross_snapshots.npz"
OLD_SNAPSHOTS = "evolution.npz"  # the name of snapshots.npz in format 1
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
    OLD_SNAPSHOTS: 16 * MIB,
    HEAD_SCORES: MIB,
    SNAPSHOT_SCORES: MIB,
    CONTEXT_LOSSES: MIB,
    CROSS_SCORES: MIB,
    CROSS_SNAPSHOTS: 16 * MIB,
}
# config.json holds the SHA-256 of these required files, and of every optional file.
HASHED = (WEIGHTS, TOKENIZER, LOSS_RECORD)
ARCHITECTURE = "microGPT"
# Without snapshots, the passage repeats the _FREQUENT most frequent characters.
_FREQUENT, _PASSAGE_LENGTH = 24, 72
CONFIG_FIELDS = ("architecture", "kind", "model", "sha256", "training")
# The field `kind` of config.json; without it, the model is a GPT.
GPT_KIND, PAIR_KIND = "gpt", "encoder-decoder"


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
class AnyCheckpoint:
    """A model of either kind, and its training.

    model: after loading, in eval mode and float32; sessions share it, so never change it.
    weights_sha256, origin: those of the files that were read, None before the checkpoint is saved.
    notes: for each listed optional file that cannot be used, a sentence without its full stop.
    """

    model: Transformer
    tokenizer: CharTokenizer
    loss_record: list[LossRow]
    training: Training
    weights_sha256: str | None = field(default=None, kw_only=True)
    origin: Origin | None = field(default=None, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def config(self) -> GPTConfig:
        return self.model.config

    @property
    def title(self) -> str:
        """The name that pages show: the corpus of a bundled one, else the repo or the folder."""
        assert self.origin is not None  # it was loaded
        return self.training.data if self.origin.kind == "bundled" else self.origin.short_name

    @cached_property
    def loss_columns(self) -> dict[str, np.ndarray]:
        """The loss record by column, NaN where nothing was measured; do not change it."""
        return by_column(self.loss_record)

    @property
    def fingerprint(self) -> str:
        """64 hex digits that identify the config, the vocabulary and the weights."""
        parts = [self.config.to_dict(), self.tokenizer.characters, self.weights_sha256]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class PairCheckpoint(AnyCheckpoint):
    """An encoder–decoder, its training, and the measurements on it.

    cross_scores, snapshots: None if the file is absent.
    """

    model: EncoderDecoder
    cross_scores: CrossScores | None = None
    snapshots: PairSnapshots | None = None

    @property
    def config(self) -> EncoderDecoderConfig:
        return self.model.config


@dataclass(frozen=True)
class Checkpoint(AnyCheckpoint):
    """A GPT, its training, and the measurements on it.

    baselines, snapshots, head_scores, snapshot_scores, context_losses: None if the file is absent.
    """

    model: GPT
    baselines: Baselines | None = None
    snapshots: Snapshots | None = None
    head_scores: HeadScores | None = None
    snapshot_scores: SnapshotScores | None = None
    context_losses: ContextLosses | None = None

    @property
    def passage(self) -> str:
        """A text like the corpus, so that every tab has something to show.

        It is the passage of the snapshots, or else the text of the context losses. A checkpoint
        with neither has its most frequent characters, repeated; without baselines, its first ones.
        """
        if self.snapshots is not None and len(self.snapshots.passage) > 1:
            return self.tokenizer.decode(self.snapshots.passage)
        if self.context_losses is not None:
            return self.tokenizer.decode(self.context_losses.ids)
        characters = self.tokenizer.characters
        if self.baselines is not None:
            order = self.baselines.unigram.argsort(descending=True, stable=True)
            characters = self.tokenizer.decode(order)
        return "".join(islice(cycle(characters[:_FREQUENT]), _PASSAGE_LENGTH))


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


def read_file(folder: Path, name: str, hashes: Mapping[str, object]) -> bytes:
    """Read a file whose SHA-256 is in config.json. Raises CheckpointError."""
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read: {error.strerror}") from error
    check_hash(name, hashlib.sha256(data).hexdigest(), hashes)
    return data


def check_hash(name: str, found: str, hashes: Mapping[str, object]) -> None:
    """Raise CheckpointError unless a file's SHA-256 is the one in config.json."""
    if found != hashes[name]:
        raise CheckpointError(f"{name} is damaged: its SHA-256 is not the one in {CONFIG}")

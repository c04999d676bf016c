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

from microgpt.checkpoint.folder import (
    ARCHITECTURE,
    BASELINES,
    CARD,
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
from microgpt.checkpoint.loading import check_files, files_in, load, read_config
from microgpt.checkpoint.saving import add_head_scores, add_snapshots, save

__all__ = [
    "ARCHITECTURE",
    "BASELINES",
    "CARD",
    "CONFIG",
    "EVOLUTION",
    "FILES",
    "HASHED",
    "HEAD_SCORES",
    "LOSS_RECORD",
    "MIB",
    "OPTIONAL",
    "TOKENIZER",
    "WEIGHTS",
    "Checkpoint",
    "CheckpointError",
    "Origin",
    "add_head_scores",
    "add_snapshots",
    "check_files",
    "files_in",
    "load",
    "read_config",
    "save",
    "sha256",
]

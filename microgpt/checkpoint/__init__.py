"""A checkpoint: a folder that is saved atomically, and checked when it is loaded.

config.json       the model's shape, the SHA-256 of the other files, the training settings
tokenizer.json    the vocabulary
model.safetensors the weights, float16
loss_record.csv   the losses, step by step
README.md         the model card
baselines.json    optional: the losses of the uniform, unigram and bigram models
snapshots.npz     optional: attention, predictions and samples at some steps of the training
head_scores.json  optional: what each head attends to, and the loss without it
snapshot_scores.json  optional: the head scores at some steps of the training

docs/formats.md describes every field.
"""

from microgpt.checkpoint.folder import (
    ARCHITECTURE,
    BASELINES,
    CARD,
    CONFIG,
    CONFIG_FIELDS,
    EVOLUTION,
    FILES,
    HASHED,
    HEAD_SCORES,
    LOSS_RECORD,
    MIB,
    OPTIONAL,
    SNAPSHOT_SCORES,
    SNAPSHOTS,
    TOKENIZER,
    WEIGHTS,
    Checkpoint,
    CheckpointError,
    Origin,
    sha256,
)
from microgpt.checkpoint.loading import check_files, files_in, load, read_config
from microgpt.checkpoint.saving import (
    add_head_scores,
    add_snapshots,
    replace_training,
    save,
)

__all__ = [
    "ARCHITECTURE",
    "BASELINES",
    "CARD",
    "CONFIG",
    "CONFIG_FIELDS",
    "EVOLUTION",
    "FILES",
    "HASHED",
    "HEAD_SCORES",
    "LOSS_RECORD",
    "MIB",
    "OPTIONAL",
    "SNAPSHOTS",
    "SNAPSHOT_SCORES",
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
    "replace_training",
    "save",
    "sha256",
]

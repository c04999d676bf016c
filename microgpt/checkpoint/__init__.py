"""A checkpoint: a folder that is saved atomically, and checked when it is loaded.

config.json       the model's shape, the SHA-256 of the other files, the training settings
tokenizer.json    the vocabulary
model.safetensors the weights
loss_record.csv   the losses, step by step
README.md         the model card
baselines.json    optional: the losses of the uniform, unigram and bigram models
snapshots.npz     optional: attention, predictions and samples at some steps of the training
head_scores.json  optional: what each head attends to, and how the loss changes without it
snapshot_scores.json  optional: the head scores at some steps of the training
context_losses.json   optional: the loss of the end of a text by context length
cross_scores.json     optional: what each cross-attention head does
cross_snapshots.npz   optional: the attention of an encoder–decoder at some steps of the training

docs/formats.md describes every field.
"""

from microgpt.checkpoint.folder import (
    ARCHITECTURE,
    BASELINES,
    CARD,
    CONFIG,
    CONFIG_FIELDS,
    CONTEXT_LOSSES,
    CROSS_SCORES,
    CROSS_SNAPSHOTS,
    FILES,
    HASHED,
    HEAD_SCORES,
    LOSS_RECORD,
    MIB,
    OLD_SNAPSHOTS,
    OPTIONAL,
    SNAPSHOT_SCORES,
    SNAPSHOTS,
    TOKENIZER,
    WEIGHTS,
    AnyCheckpoint,
    Checkpoint,
    CheckpointError,
    Origin,
    PairCheckpoint,
    sha256,
)
from microgpt.checkpoint.loading import (
    as_gpt,
    check_files,
    files_in,
    load,
    load_any,
    load_pairs,
    read_config,
)
from microgpt.checkpoint.saving import (
    add_baselines,
    add_context_losses,
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
    "CONTEXT_LOSSES",
    "CROSS_SCORES",
    "CROSS_SNAPSHOTS",
    "FILES",
    "HASHED",
    "HEAD_SCORES",
    "LOSS_RECORD",
    "MIB",
    "OLD_SNAPSHOTS",
    "OPTIONAL",
    "SNAPSHOTS",
    "SNAPSHOT_SCORES",
    "TOKENIZER",
    "WEIGHTS",
    "AnyCheckpoint",
    "Checkpoint",
    "CheckpointError",
    "Origin",
    "PairCheckpoint",
    "add_baselines",
    "add_context_losses",
    "add_head_scores",
    "add_snapshots",
    "as_gpt",
    "check_files",
    "files_in",
    "load",
    "load_any",
    "load_pairs",
    "read_config",
    "replace_training",
    "save",
    "sha256",
]

"""The optional files of a checkpoint folder; each holds one part of the checkpoint in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from microgpt.analysis.baselines import Baselines
from microgpt.analysis.context_length import ContextLosses
from microgpt.analysis.cross_scores import CrossScores
from microgpt.analysis.head_scores import HeadScores, SnapshotScores
from microgpt.checkpoint.folder import (
    BASELINES,
    CONFIG,
    CONTEXT_LOSSES,
    CROSS_SCORES,
    CROSS_SNAPSHOTS,
    HEAD_SCORES,
    OLD_SNAPSHOTS,
    OPTIONAL,
    SNAPSHOT_SCORES,
    SNAPSHOTS,
    AnyCheckpoint,
    CheckpointError,
    check_size,
    read_file,
)
from microgpt.checkpoint.pair_snapshots import PairSnapshots
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.config import EncoderDecoderConfig, GPTConfig
from microgpt.errors import MicroGPTError


def parts_of(config: GPTConfig) -> dict[str, tuple[str, Callable[[bytes], Any]]]:
    """For each optional file, the attribute of the checkpoint that it fills and its parser."""
    if isinstance(config, EncoderDecoderConfig):
        return {
            CROSS_SCORES: ("cross_scores", lambda data: CrossScores.from_json(data, config)),
            CROSS_SNAPSHOTS: ("snapshots", lambda data: PairSnapshots.from_npz(data, config)),
        }
    layers, heads, vocab = config.n_layer, config.n_head, config.vocab_size

    def snapshots(data: bytes) -> Snapshots:
        return Snapshots.from_npz(data, layers, heads, vocab)

    def snapshot_scores(data: bytes) -> SnapshotScores:
        return SnapshotScores.from_json(data, layers, heads)

    def context_losses(data: bytes) -> ContextLosses:
        return ContextLosses.from_json(data, vocab, config.block_size)

    return {
        BASELINES: ("baselines", lambda data: Baselines.from_json(data, vocab)),
        SNAPSHOTS: ("snapshots", snapshots),
        OLD_SNAPSHOTS: ("snapshots", snapshots),
        HEAD_SCORES: ("head_scores", lambda data: HeadScores.from_json(data, layers, heads)),
        SNAPSHOT_SCORES: ("snapshot_scores", snapshot_scores),
        CONTEXT_LOSSES: ("context_losses", context_losses),
    }


def read_optional(
    folder: Path, config: GPTConfig, hashes: dict[str, str], strict: bool
) -> tuple[dict[str, Any], list[str]]:
    """Read the optional files: values by attribute of the checkpoint, and a note per unusable file.

    strict: raise CheckpointError for an unusable file.
    """
    parts: dict[str, Any] = {}
    notes = []
    for name, (attribute, read) in parts_of(config).items():
        if name not in hashes or attribute in parts:
            continue
        if not (folder / name).is_file():
            notes.append(f"{name} is listed in {CONFIG} but not in the folder")
            continue
        try:
            check_size(folder / name, OPTIONAL[name])
            parts[attribute] = read(read_file(folder, name, hashes))
        except MicroGPTError as error:
            if strict:
                raise CheckpointError(str(error)) from error
            notes.append(f"{error}; {name} is left out")
    return parts, notes


def contents(checkpoint: AnyCheckpoint) -> dict[str, bytes]:
    """The content of the file of each part that a checkpoint has."""
    found = {}
    for name, (attribute, _) in parts_of(checkpoint.config).items():
        part = getattr(checkpoint, attribute)
        if part is not None and name != OLD_SNAPSHOTS:
            found[name] = content_of(name, part)
    return found


def content_of(name: str, part: Any) -> bytes:
    """The content of an optional file that holds this part."""
    return part.to_npz() if name.endswith(".npz") else part.to_json().encode()

"""Snapshots of a training run: attention, predictions and a sample at some of its steps."""

import copy
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from microgpt.analysis.ablation import surprisal_without_each_head
from microgpt.analysis.attention import attention_maps, in_bytes, max_positions
from microgpt.analysis.head_scores import HeadScores, SnapshotScores
from microgpt.analysis.heads import head_scores
from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.snapshots import Snapshots, SnapshotsError
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.engine import Decoder
from microgpt.generate import generate, start_ids
from microgpt.model import GPT
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.training.snapshot_weights import load_weights, saved_steps, weights_file

# Two speakers whose words repeat, so that every head score can be measured. Of many candidates,
# `python -m experiments.choose_passage` found this one: each preset of the bundled checkpoint has a
# large effect on it.
PASSAGE = """\
GARDENER:
The frost is on the roses by the wall.

SERVANT:
The roses by the wall, good gardener, will not bloom at all."""
# The passage of earlier versions.
_EARLIER_PASSAGE = """\
MIRIAM:
The lamp burns low, good Tobias; bring the oil.

TOBIAS:
The oil is gone, good Miriam; the lamp burns low.

MIRIAM:
Then bring the m"""
_LONGEST_PASSAGE = 140  # characters
_LONGEST_LINE = 200  # characters at the start of the validation split that a passage may skip
SAMPLE_LENGTH = 240
SAMPLE_CONFIG = SamplingConfig(temperature=0.8, seed=1)
# Limit for all maps and predictions of a run, uncompressed. Compressed, they take a few megabytes.
MAX_BYTES = 16 * 2**20
# The head scores of a snapshot are measured on at most this number of windows.
SCORED_WINDOWS = 512
# While the run trains: on this many, at the start of the validation split.
SCORED_LIVE = 32
_LARGEST = torch.finfo(torch.float16).max


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The model at one step of a run.

    maps: (L, H, T, T) uint8, 255 times the attention weights. probs: (T, V) float16, the
    predictions after each position. sample: (N,) ids of generated text. surprisal_without:
    (L, H, T - 1) float16, nats, at most 65,504, the surprisal of each character after the first one
    when a single head is ablated; None in the state of an earlier version.
    """

    step: int
    maps: Tensor
    probs: Tensor
    sample: Tensor
    surprisal_without: Tensor | None = None


def snapshot_steps(steps: int, count: int = TrainConfig.snapshot_count) -> list[int]:
    """The steps with a snapshot in a run: 0, the last, and others, denser at the start.

    They are round numbers, with as many digits as `count` of them need. A short run has fewer.
    """
    shares = ((i / (count - 1)) ** 2 for i in range(count - 1))
    digits = 1 + math.ceil(math.log10(max(count / 2, 2)))
    return sorted({*(_rounded(steps * share, digits) for share in shares), steps})


def _rounded(value: float, digits: int) -> int:
    return int(float(f"{value:.{digits - 1}e}")) if value >= 10 ** (digits - 1) else round(value)


def nearest(snapshots: list[Snapshot], steps: list[int], last: int) -> list[Snapshot]:
    """The snapshots of a resumed run that fit the steps of its schedule, which may be a new one.

    A run that is resumed many times has no more snapshots than an uninterrupted one.
    """
    by_step = {snapshot.step: snapshot for snapshot in snapshots}
    return [by_step[step] for step in nearest_steps(by_step, steps, last)]


def nearest_steps(taken: Collection[int], steps: list[int], last: int) -> list[int]:
    """Of the steps with a snapshot, the nearest to each of `steps` up to step `last`, in order."""
    if not taken:
        return []
    wanted = (step for step in steps if step <= last)
    return sorted({min(taken, key=lambda each: abs(each - step)) for step in wanted})


def passage_ids(
    tokenizer: CharTokenizer,
    val: Tensor,
    config: GPTConfig,
    data_sha256: str,
    snapshots: int = TrainConfig.snapshot_count,
) -> list[int]:
    """The ids of the passage of a run, cut to the context window and to MAX_BYTES.

    For Tiny Shakespeare it is PASSAGE. For any other corpus it is the start of the validation
    split, from the first new line or word on.
    """
    longest = min(_longest_passage(config, snapshots), _LONGEST_PASSAGE)
    if data_sha256 == TINY_SHAKESPEARE_SHA256 and not tokenizer.unknown(PASSAGE):
        ids = tokenizer.encode(PASSAGE)
    else:
        start = tokenizer.decode(val[:_LONGEST_LINE])
        at = (start.find("\n") + 1) or (start.find(" ") + 1)
        ids = val[min(at, max(0, len(val) - longest)) :].tolist()
    return ids[:longest]


def earlier_passage_ids(tokenizer: CharTokenizer, val: Tensor, length: int) -> list[int]:
    """The passage, of this length, for a state of an earlier version, which does not hold it.

    It is _EARLIER_PASSAGE if all its characters are known, else the start of the validation split.
    """
    known = not tokenizer.unknown(_EARLIER_PASSAGE)
    return (tokenizer.encode(_EARLIER_PASSAGE) if known else val.tolist())[:length]


def _longest_passage(config: GPTConfig, snapshots: int) -> int:
    """The longest passage that the context window and MAX_BYTES allow, in characters."""
    heads, vocab_size = config.n_layer * config.n_head, config.vocab_size
    # The positive root of heads T² + 2 (vocab_size + heads) T = MAX_BYTES / snapshots.
    half = vocab_size + heads
    root = math.isqrt(half**2 + heads * MAX_BYTES // snapshots) - half
    return min(config.block_size, root // heads)


def take_snapshot(model: GPT, tokenizer: CharTokenizer, passage: list[int], step: int) -> Snapshot:
    """Take a snapshot of a copy of the model, in float32 on the CPU, as the app would.

    The sample is generated from an empty prompt (see start_ids).
    """
    model = copy.deepcopy(model).cpu().eval()
    read = attention_maps(model, passage)
    return Snapshot(
        step,
        in_bytes(read.weights),
        read.logits.softmax(dim=-1).half(),
        torch.tensor(write_sample(model, tokenizer)),
        surprisal_without_each_head(model, passage).clamp(max=_LARGEST).half(),
    )


def write_sample(model: GPT, tokenizer: CharTokenizer) -> list[int]:
    """The ids that a model in eval mode on the CPU writes from an empty prompt.

    The draws are the same each time.
    """
    start = start_ids(tokenizer, "")
    stream = generate(Decoder(model), tokenizer, start, SAMPLE_LENGTH, SAMPLE_CONFIG)
    return [character.token for character in stream]


def live_scores(model: GPT, tokenizer: CharTokenizer, val: Tensor) -> HeadScores:
    """Head scores of a model in eval mode, from so few windows that a run can be watched."""
    data = val[: SCORED_LIVE * max_positions(model.config)]
    return head_scores(model, tokenizer, data, most_windows=SCORED_LIVE)


def recompute_scores(
    checkpoint: Checkpoint,
    folder: str | Path,
    data: Tensor,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SnapshotScores:
    """Compute the head scores of a run's snapshots, from the weights that save_weights wrote.

    data: as for head_scores, on the device to use; of a long text, SCORED_WINDOWS windows are
    measured, spread evenly. progress: called with the number of snapshots done and their total.
    Raises SnapshotsError, and ValueError as head_scores does.
    """
    folder = Path(folder)
    steps, scores = saved_steps(folder), list[HeadScores]()
    for step in steps:
        progress(len(scores), len(steps))
        model = load_weights(weights_file(folder, step), checkpoint.config).to(data.device)
        scores.append(head_scores(model, checkpoint.tokenizer, data, most_windows=SCORED_WINDOWS))
    progress(len(scores), len(steps))
    return SnapshotScores(steps, scores)


def recompute(
    checkpoint: Checkpoint,
    folder: str | Path,
    passage: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Snapshots:
    """Compute the snapshots of a run again, from the weights that save_weights wrote to a folder.

    passage: the text to read, cut to the context window and to MAX_BYTES; by default the passage
    of the checkpoint's snapshots, or Checkpoint.passage if it has none. progress: called with the
    number of snapshots done and their total. Raises SnapshotsError, and UnknownCharacterError for a
    passage with characters outside the vocabulary.
    """
    folder = Path(folder)
    steps = saved_steps(folder)
    config, tokenizer = checkpoint.config, checkpoint.tokenizer
    if passage is None and checkpoint.snapshots is not None:
        ids = checkpoint.snapshots.passage.tolist()
    else:
        ids = tokenizer.encode(checkpoint.passage if passage is None else passage)
    ids = ids[: _longest_passage(config, len(steps))]
    if not ids:
        raise SnapshotsError("the passage is empty; it needs at least one character")
    taken: list[Snapshot] = []
    for step in steps:
        progress(len(taken), len(steps))
        model = load_weights(weights_file(folder, step), config)
        taken.append(take_snapshot(model, tokenizer, ids, step))
    progress(len(taken), len(steps))
    return stack(taken, ids)


def stack(snapshots: list[Snapshot], passage: list[int]) -> Snapshots:
    """Combine the snapshots of a run into the arrays that a checkpoint stores.

    surprisal_without is left out unless all snapshots have it.
    """
    found = [each.surprisal_without for each in snapshots]
    without = [each for each in found if each is not None]
    return Snapshots(
        steps=np.array([snapshot.step for snapshot in snapshots]),
        passage=np.array(passage),
        maps=torch.stack([snapshot.maps for snapshot in snapshots]).numpy(),
        probs=torch.stack([snapshot.probs for snapshot in snapshots]).numpy(),
        samples=torch.stack([snapshot.sample for snapshot in snapshots]).numpy(),
        surprisal_without=torch.stack(without).numpy() if len(without) == len(found) else None,
    )

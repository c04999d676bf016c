"""Snapshots of a training run: attention, predictions and a sample at some of its steps."""

import copy
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from microgpt import atomic
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.head_scores import HeadScores, SnapshotScores
from microgpt.analysis.heads import head_scores
from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.snapshots import Snapshots, SnapshotsError
from microgpt.checkpoint.weights import all_finite, half_precision
from microgpt.config import GPTConfig
from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.engine import Decoder
from microgpt.generate import generate
from microgpt.model import GPT, without_weights
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer

# Two speakers whose words repeat, so that every head score can be measured.
PASSAGE = """\
MIRIAM:
The lamp burns low, good Tobias; bring the oil.

TOBIAS:
The oil is gone, good Miriam; the lamp burns low.

MIRIAM:
Then bring the m"""
SNAPSHOT_COUNT = 14
_LONGEST_LINE = 200  # characters at the start of the validation split that a passage may skip
SAMPLE_LENGTH = 240
SAMPLE_CONFIG = SamplingConfig(temperature=0.8, seed=1)
# Limit for all maps and predictions of a run, uncompressed. Compressed, they take a few megabytes.
MAX_BYTES = 16 * 2**20
_STEP = re.compile(r"step_(\d{8,})\.safetensors")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The model at one step of a run.

    maps: (L, H, T, T) uint8, 255 times the attention weights. probs: (T, V) float16, the
    predictions after each position. sample: (N,) ids of generated text.
    """

    step: int
    maps: Tensor
    probs: Tensor
    sample: Tensor


def snapshot_steps(steps: int) -> list[int]:
    """The steps with a snapshot in a run: 0, the last, and others, denser at the start."""
    shares = ((i / (SNAPSHOT_COUNT - 1)) ** 2 for i in range(SNAPSHOT_COUNT - 1))
    return sorted({*(_two_digits(steps * share) for share in shares), steps})


def _two_digits(value: float) -> int:
    return int(float(f"{value:.1e}")) if value >= 10 else round(value)


def nearest(snapshots: list[Snapshot], steps: list[int], last: int) -> list[Snapshot]:
    """The snapshots of a resumed run that fit the steps of its schedule, which may be a new one.

    For each of `steps` up to step `last`, the nearest snapshot is kept. So a run that is resumed
    again and again has no more snapshots than another.
    """
    if not snapshots:
        return []
    by_step = {snapshot.step: snapshot for snapshot in snapshots}
    wanted = (step for step in steps if step <= last)
    kept = {min(by_step, key=lambda taken: abs(taken - step)) for step in wanted}
    return [by_step[step] for step in sorted(kept)]


def passage_ids(
    tokenizer: CharTokenizer, val: Tensor, config: GPTConfig, data_sha256: str
) -> list[int]:
    """The ids of the passage of a run, cut to the context window and to MAX_BYTES.

    For Tiny Shakespeare it is PASSAGE. For any other corpus it is the start of the validation
    split, from the first new line or word on.
    """
    longest = min(_longest_passage(config, SNAPSHOT_COUNT), len(PASSAGE))
    if data_sha256 == TINY_SHAKESPEARE_SHA256 and not tokenizer.unknown(PASSAGE):
        ids = tokenizer.encode(PASSAGE)
    else:
        start = tokenizer.decode(val[:_LONGEST_LINE])
        at = (start.find("\n") + 1) or (start.find(" ") + 1)
        ids = val[min(at, max(0, len(val) - longest)) :].tolist()
    return ids[:longest]


def earlier_passage_ids(tokenizer: CharTokenizer, val: Tensor, length: int) -> list[int]:
    """The passage of a state that does not hold it: PASSAGE if all its characters are known."""
    ids = val.tolist() if tokenizer.unknown(PASSAGE) else tokenizer.encode(PASSAGE)
    return ids[:length]


def _longest_passage(config: GPTConfig, snapshots: int) -> int:
    """The longest passage that the context window and MAX_BYTES allow, in characters."""
    heads, vocab_size = config.n_layer * config.n_head, config.vocab_size
    # The positive root of heads T² + 2 vocab_size T = MAX_BYTES / snapshots.
    root = math.isqrt(vocab_size**2 + heads * MAX_BYTES // snapshots) - vocab_size
    return min(config.block_size, root // heads)


def take_snapshot(model: GPT, tokenizer: CharTokenizer, passage: list[int], step: int) -> Snapshot:
    """Take a snapshot of a model on a copy, in float32 on the CPU, as the app would.

    The sample starts after a newline, or after the first character of the passage if the vocabulary
    has no newline.
    """
    model = copy.deepcopy(model).cpu().eval()
    read = attention_maps(model, passage)
    ids = passage[:1] if tokenizer.unknown("\n") else tokenizer.encode("\n")
    stream = generate(Decoder(model), tokenizer, ids, SAMPLE_LENGTH, SAMPLE_CONFIG)
    return Snapshot(
        step,
        (255 * read.weights).round().to(torch.uint8),
        read.logits.softmax(dim=-1).half(),
        torch.tensor([character.token for character in stream]),
    )


def weights_file(folder: Path, step: int) -> Path:
    """The path of the weights after `step` updates, in a run's folder of snapshots."""
    return folder / f"step_{step:08}.safetensors"


def weights_files(folder: Path) -> dict[int, Path]:
    """The weights in a run's folder of snapshots, by step; {} if there is no such folder."""
    paths = folder.iterdir() if folder.is_dir() else ()
    found = ((_STEP.fullmatch(path.name), path) for path in paths)
    return {int(match[1]): path for match, path in found if match}


def save_weights(folder: Path, model: GPT, step: int) -> None:
    """Save a model's weights in float16, in one atomic write.

    From them, later versions can measure the model at this step without training again. Raises
    OSError.
    """
    with atomic.replacing(weights_file(folder, step)) as partial:
        partial.write_bytes(save(half_precision(model)))


def load_weights(path: Path, config: GPTConfig) -> GPT:
    """Load a file of save_weights into a model in eval mode, float32, on the CPU.

    Raises SnapshotsError if the weights are not finite or do not fit the config.
    """
    model = without_weights(config)  # unlike GPT(config), it draws no random numbers
    try:
        weights = {name: tensor.float() for name, tensor in load(path.read_bytes()).items()}
        model.load_state_dict(weights, assign=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise SnapshotsError(f"{path} does not hold weights of this model") from error
    if not all_finite(model.state_dict().values()):
        raise SnapshotsError(f"the weights in {path} are not finite in half precision")
    return model.eval().requires_grad_(False)


def saved_steps(folder: Path) -> list[int]:
    """The steps whose weights are in a run's folder of snapshots. Raises SnapshotsError if none."""
    steps = sorted(weights_files(folder))
    if not steps:
        raise SnapshotsError(f"there are no weights of snapshots in {folder}")
    return steps


def recompute_scores(
    checkpoint: Checkpoint,
    folder: Path,
    data: Tensor,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SnapshotScores:
    """Compute the head scores of a run's snapshots, from the weights that save_weights wrote.

    data: as for head_scores, on the device to use. progress: called with the number of snapshots
    done and their total. Raises SnapshotsError, and ValueError as head_scores does.
    """
    steps, scores = saved_steps(folder), list[HeadScores]()
    for step in steps:
        progress(len(scores), len(steps))
        model = load_weights(weights_file(folder, step), checkpoint.config).to(data.device)
        scores.append(head_scores(model, checkpoint.tokenizer, data))
    progress(len(scores), len(steps))
    return SnapshotScores(steps, scores)


def recompute(
    checkpoint: Checkpoint,
    folder: Path,
    passage: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Snapshots:
    """Compute the snapshots of a run again, from the weights that save_weights wrote to a folder.

    passage: the text to read, cut to the context window and to MAX_BYTES; by default the passage
    of the checkpoint's snapshots, or Checkpoint.passage if it has none. progress: called with the
    number of snapshots done and their total. Raises SnapshotsError, and UnknownCharacterError for a
    passage with characters outside the vocabulary.
    """
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
    """Combine the snapshots of a run into the arrays that a checkpoint stores."""
    return Snapshots(
        steps=np.array([snapshot.step for snapshot in snapshots]),
        passage=np.array(passage),
        maps=torch.stack([snapshot.maps for snapshot in snapshots]).numpy(),
        probs=torch.stack([snapshot.probs for snapshot in snapshots]).numpy(),
        samples=torch.stack([snapshot.sample for snapshot in snapshots]).numpy(),
    )

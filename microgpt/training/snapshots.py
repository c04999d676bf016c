"""What a model makes of one passage, and what it writes, at snapshots spread over its training."""

import copy
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from microgpt import atomic
from microgpt.analysis.attention import attention_maps
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.config import GPTConfig
from microgpt.engine import Decoder
from microgpt.generate import generate, start_ids
from microgpt.model import GPT
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer

# Two speakers who repeat themselves, so that there is something for every kind of head to find.
PASSAGE = """\
MIRIAM:
The lamp burns low, good Tobias; bring the oil.

TOBIAS:
The oil is gone, good Miriam; the lamp burns low.

MIRIAM:
Then bring the m"""
SNAPSHOT_COUNT = 14
SAMPLE_LENGTH = 240
SAMPLE_CONFIG = SamplingConfig(temperature=0.8, seed=1)
# Of all maps of a run: a few megabytes when they are packed, whatever the model's size.
MOST_BYTES = 16 * 2**20


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One step: maps (L, H, T, T) uint8, probs (T, V) float16, sample (N,) ids."""

    step: int
    maps: Tensor
    probs: Tensor
    sample: Tensor


def snapshot_steps(steps: int) -> list[int]:
    """The steps to look at in a run of so many: 0, the last, denser where more changes."""
    shares = ((i / (SNAPSHOT_COUNT - 1)) ** 2 for i in range(SNAPSHOT_COUNT - 1))
    return sorted({*(_two_digits(steps * share) for share in shares), steps})


def _two_digits(value: float) -> int:
    return int(float(f"{value:.1e}")) if value >= 10 else round(value)


def passage_ids(tokenizer: CharTokenizer, val: Tensor, config: GPTConfig) -> list[int]:
    """The passage as ids, as much as the window and MOST_BYTES allow.

    For a vocabulary that lacks some of its characters it is the start of the validation split.
    """
    maps = SNAPSHOT_COUNT * config.n_layer * config.n_head
    most = min(config.block_size, math.isqrt(MOST_BYTES // maps), len(PASSAGE))
    ids = val.tolist() if tokenizer.unknown(PASSAGE) else tokenizer.encode(PASSAGE)
    return ids[:most]


def take_snapshot(model: GPT, tokenizer: CharTokenizer, passage: list[int], step: int) -> Snapshot:
    """Look at a model as it is now, without touching it; in float32 on the CPU, as the app runs."""
    model = copy.deepcopy(model).cpu().eval()
    read = attention_maps(model, passage)
    ids = start_ids(tokenizer, "")
    stream = generate(Decoder(model), tokenizer, ids, SAMPLE_LENGTH, SAMPLE_CONFIG)
    return Snapshot(
        step,
        (255 * read.weights).round().to(torch.uint8),
        read.logits.softmax(dim=-1).half(),
        torch.tensor([character.token for character in stream]),
    )


def weights_file(folder: Path, step: int) -> Path:
    """The file in a run's folder of snapshots that holds its weights after `step` updates."""
    return folder / f"step_{step:08}.safetensors"


def save_weights(folder: Path, model: GPT, step: int) -> None:
    """Keep a model's weights in float16, whole or not at all.

    Whatever a later version wants to know of a step can be computed from them, without training
    again. Raises OSError.
    """
    weights = {name: t.detach().cpu().half() for name, t in model.state_dict().items()}
    with atomic.replacing(weights_file(folder, step)) as partial:
        partial.write_bytes(save(weights))


def stack(snapshots: list[Snapshot], passage: list[int]) -> Snapshots:
    """All snapshots of a run as what its checkpoint keeps."""
    return Snapshots(
        steps=np.array([snapshot.step for snapshot in snapshots]),
        passage=np.array(passage),
        maps=torch.stack([snapshot.maps for snapshot in snapshots]).numpy(),
        probs=torch.stack([snapshot.probs for snapshot in snapshots]).numpy(),
        samples=torch.stack([snapshot.sample for snapshot in snapshots]).numpy(),
    )

"""The models that a visitor of the app can train, and how long that takes on this machine."""

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import Splits
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from microgpt.training.loop import train as train_steps
from microgpt.training.presets import PRESETS
from microgpt.training.snapshots import (
    SCORED_LIVE,
    live_scores,
    snapshot_steps,
    take_snapshot,
)
from microgpt.training.state import TrainState

_MEASURED_STEPS = 5


@dataclass(frozen=True)
class Size:
    """A model that is small enough to train while someone watches.

    about: a phrase. preset: its name in PRESETS, or `none`.
    """

    about: str
    model: GPTConfig
    train: TrainConfig
    preset: str = "none"


def _watched(train: TrainConfig, **changes: Any) -> TrainConfig:
    """The settings of a run that someone watches: many short estimates and many snapshots."""
    train = dataclasses.replace(train, **changes)
    return dataclasses.replace(
        train,
        log_interval=max(1, train.steps // 200),
        eval_interval=max(1, train.steps // 40),
        snapshot_count=30,
    )


# A context window of one character makes a bigram model of a GPT: it predicts from the last
# character alone, and its only attention weight is 1.
SIZES = {
    "bigram": Size(
        "predicts from the last character alone, so it has nothing to attend to",
        GPTConfig(block_size=1, n_layer=1, n_head=1, n_embd=32, mlp_ratio=1, dropout=0.0),
        _watched(
            TrainConfig(
                steps=1000,
                batch_size=256,
                learning_rate=1e-2,
                decay_fraction=0.5,
                eval_batches=20,
            )
        ),
    ),
    "small": Size(
        "three layers that read 8 characters: the last model of the original's development",
        PRESETS["phase4"].model,
        _watched(PRESETS["phase4"].train, eval_batches=20),
        "phase4",
    ),
    # Half the steps of its preset: a run has one thread.
    "tiny": Size(
        "three wider layers that read 64 characters; of the three sizes, it writes the best text",
        PRESETS["tiny"].model,
        _watched(PRESETS["tiny"].train, steps=500, eval_batches=4),
    ),
}


def estimate_seconds(model: GPTConfig, train: TrainConfig) -> float:
    """Estimate the seconds of training on this machine while nothing else runs on it.

    A few steps, an estimate of the losses and a snapshot are made once, and their processor time is
    measured. The start of a run's process and the measurements after the training are left out.
    model: with the vocabulary size of the text.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_measure, model, train).result()


def _measure(model: GPTConfig, train: TrainConfig) -> float:
    """As estimate_seconds, with one thread of PyTorch, as a run has."""
    torch.set_num_threads(1)  # for this Python thread
    short = dataclasses.replace(
        train, steps=_MEASURED_STEPS, snapshot_count=2, eval_interval=_MEASURED_STEPS + 1
    )
    generator = torch.Generator().manual_seed(0)
    length = 2 * SCORED_LIVE * (model.block_size + 1)
    data = torch.randint(model.vocab_size, (length,), generator=generator)
    state = TrainState.create(model, short, torch.device("cpu"))
    # The first row has an estimate of the losses, and the others a step each.
    times = [time.thread_time()]
    for _ in train_steps(state, Splits(data, data), short):
        times.append(time.thread_time())
    estimate = times[1] - times[0]
    step = min(after - before for before, after in pairwise(times[1:]))
    started = time.thread_time()
    tokenizer = CharTokenizer("".join(map(chr, range(0x4E00, 0x4E00 + model.vocab_size))))
    trained = state.model
    assert isinstance(trained, GPT)
    take_snapshot(trained, tokenizer, data[: model.block_size].tolist(), 0)
    if model.block_size > 1:
        live_scores(trained.eval(), tokenizer, data)
    snapshot = time.thread_time() - started
    snapshots = len(snapshot_steps(train.steps, train.snapshot_count))
    estimates = snapshots + train.steps // train.eval_interval
    return train.steps * step + estimates * estimate + snapshots * snapshot

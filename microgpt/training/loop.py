"""The training loop: an iterator over the rows of the loss record."""

import math
import time
from collections.abc import Iterator
from typing import cast

import torch
from torch import nn

from microgpt.analysis.loss import batch_loss, draw_batch, sampled_loss
from microgpt.checkpoint.loss_record import LossRow
from microgpt.config import TrainConfig
from microgpt.data import Splits
from microgpt.errors import MicroGPTError
from microgpt.pairs import PairSplits
from microgpt.training import distributed
from microgpt.training.optim import lr_schedule, set_learning_rates, update
from microgpt.training.snapshots import snapshot_steps
from microgpt.training.state import DivergedError, TrainState


class TrainError(MicroGPTError):
    """A training run cannot start or continue."""


def train(
    state: TrainState, splits: Splits | PairSplits, config: TrainConfig, compiled: bool = False
) -> Iterator[LossRow]:
    """Make the remaining updates, changing `state` in place, and yield a row after each.

    Losses are recorded as config says, and at every step with a snapshot; in other rows they are
    None. A row with a loss is added to the record of the state before it is yielded. compiled: run
    the model through torch.compile. Raises DivergedError if a recorded loss is not finite, or if
    the weights are not finite at an estimate; the row is then not added.
    """
    model, device, block_size = state.model, splits.train.device, state.model.config.block_size
    snapshots = snapshot_steps(config.steps, config.snapshot_count)
    forward = distributed.wrap(model)
    if compiled:
        forward = cast(nn.Module, torch.compile(forward))

    if state.step == 0 and not state.rows:
        losses = estimate(state, splits, config)
        first = LossRow(0, 0, 0.0, **losses, wall_seconds=state.wall_seconds)
        state.record(first, config.log_interval)
        yield first
    if compiled or device.type == "cuda":
        _warm_up(forward, splits, config, block_size)
    while state.step < config.steps:
        started = time.perf_counter()
        model.train()
        factor = lr_schedule(state.step, config)
        set_learning_rates(state.optimizers, factor)
        batch = draw_batch(splits.train, config.batch_size, block_size, state.batches)
        parts = [distributed.shard(each) for each in batch]  # (B, …)
        with autocast(device, config):
            loss = batch_loss(forward, *parts)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip or math.inf)
        update(state.optimizers)
        state.step += 1
        state.update_ema(config.ema_decay)

        evaluated = state.step % config.eval_interval == 0 or state.step in snapshots
        logged = state.step % config.log_interval == 0 or evaluated
        values: dict[str, float] = {"learning_rate": factor * config.learning_rate}
        if logged:  # .item() waits for the device
            values |= {"grad_norm": norm.item(), "batch_loss": distributed.mean(loss).item()}
        state.seconds += time.perf_counter() - started
        if evaluated:
            values |= estimate(state, splits, config)
        if not all(math.isfinite(value) for value in values.values()):
            raise DivergedError(f"the loss is not finite at step {state.step}")
        if evaluated:
            state.check_finite()  # before the snapshot and the state are saved
        tokens = state.step * config.batch_size * block_size
        values["wall_seconds"] = state.wall_seconds
        row = LossRow(state.step, tokens, state.seconds, **values)
        if logged:
            state.record(row, config.log_interval)
        yield row


def autocast(device: torch.device, config: TrainConfig) -> torch.autocast:
    """Return the autocast context for the precision of the run."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16")


def _warm_up(
    forward: nn.Module, splits: Splits | PairSplits, config: TrainConfig, block_size: int
) -> None:
    """Compile the model and let libraries choose kernels before the training clock starts.

    Gradients are cleared afterwards, and the random generators of the run are not used.
    """
    device = splits.train.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        batch = draw_batch(splits.train, config.batch_size, block_size, torch.Generator())
        parts = [distributed.shard(each) for each in batch]
        with autocast(device, config):
            loss = batch_loss(forward.train(), *parts)
        loss.backward()
    forward.zero_grad()
    loss.item()  # waits for the device


def estimate(
    state: TrainState, splits: Splits | PairSplits, config: TrainConfig
) -> dict[str, float]:
    """Estimate the losses on both splits of the model that would be saved.

    Every estimate of a run uses the same windows.
    """
    model = state.result.eval()
    generator = torch.Generator().manual_seed(config.seed + 2)
    size = config.eval_batches, config.batch_size
    with autocast(splits.train.device, config):
        return {
            f"{name}_loss": sampled_loss(model, data, *size, generator)
            for name, data in splits._asdict().items()
        }

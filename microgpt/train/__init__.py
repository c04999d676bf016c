"""The training loop: an iterator of the loss record's rows. Its command is __main__.py."""

import math
import time
from collections.abc import Iterator

import torch
from torch import nn

from microgpt.config import TrainConfig
from microgpt.data import Splits, random_batch
from microgpt.evaluate import batch_loss, sampled_loss
from microgpt.loss_record import LossRow
from microgpt.train.optim import rate_factor, set_rates
from microgpt.train.state import TrainState


class TrainError(ValueError):
    """A run cannot start or go on."""


def train(state: TrainState, splits: Splits, config: TrainConfig) -> Iterator[LossRow]:
    """Make the updates that are left, changing state in place, and yield a row after each.

    A row carries losses where they were due, None elsewhere; such rows are in state.rows when it
    is yielded. Raises TrainError when the loss is no longer finite.
    """
    model, device = state.model, splits.train.device
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16")
    window = config.batch_size * model.config.block_size

    if state.step == 0 and not state.rows:
        state.rows.append(LossRow(0, 0, 0.0, **estimate(state, splits, config)))
        yield state.rows[-1]
    model.train()
    while state.step < config.steps:
        started = time.perf_counter()
        rate = rate_factor(state.step, config)
        set_rates(state.optimizers, rate)
        x, y = random_batch(
            splits.train, config.batch_size, model.config.block_size, state.batches
        )  # (B, T)
        with autocast:
            loss = batch_loss(model, x, y)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip or math.inf)
        for optimizer in state.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if state.averaged is not None:
            state.averaged.update_parameters(model)
        state.step += 1

        last = state.step == config.steps
        logged = state.step % config.log_interval == 0 or last
        evaluated = state.step % config.eval_interval == 0 or last
        values: dict[str, float] = {"learning_rate": rate * config.learning_rate}
        if logged:
            values |= {"grad_norm": norm.item(), "batch_loss": loss.item()}
        state.seconds += time.perf_counter() - started
        if evaluated:
            values |= estimate(state, splits, config)
            model.train()
        if not all(math.isfinite(value) for value in values.values()):
            raise TrainError(
                f"the loss is not finite at step {state.step}; lower the learning rate"
            )
        row = LossRow(state.step, state.step * window, state.seconds, **values)
        if row.batch_loss is not None or row.val_loss is not None:
            state.rows.append(row)
        yield row


def estimate(state: TrainState, splits: Splits, config: TrainConfig) -> dict[str, float]:
    """Losses on both splits of the weights that would be saved, always on the same windows."""
    model = state.result.eval()
    generator = torch.Generator().manual_seed(config.seed + 2)
    return {
        f"{name}_loss": sampled_loss(model, data, config.eval_batches, config.batch_size, generator)
        for name, data in splits._asdict().items()
    }

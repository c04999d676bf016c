import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from microgpt.config import TrainConfig
from microgpt.data import random_batch, split
from microgpt.model import GPT
from microgpt.training.loop import estimate, train
from microgpt.training.optim import make_optimizers
from microgpt.training.snapshots import snapshot_steps
from microgpt.training.state import DivergedError, TrainState

CPU = torch.device("cpu")


@pytest.fixture
def splits(tokenizer, corpus, tiny_config):
    return split(tokenizer.encode(corpus), tiny_config.block_size)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_one_batch_overfits(tiny_config, splits, optimizer):
    config = TrainConfig(optimizer=optimizer, learning_rate=1e-2, weight_decay=0.0)
    model = GPT(tiny_config)
    model.init_small(torch.Generator().manual_seed(0))
    x, y = random_batch(splits.train, 4, 16, torch.Generator().manual_seed(0))
    optimizers = make_optimizers(model, config)
    for _ in range(150):
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss.backward()
        for each in optimizers:
            each.step()
            each.zero_grad()
    assert loss.item() < 0.2


def test_a_row_describes_its_update(tiny_config, splits):
    config = TrainConfig(
        steps=2, batch_size=4, init="small", log_interval=1, eval_batches=2, warmup_steps=1
    )
    rows = train(TrainState.create(tiny_config, config, CPU), splits, config)
    start, first, second = rows

    model = GPT(tiny_config)
    model.init_small(torch.Generator().manual_seed(config.seed))
    batches = torch.Generator().manual_seed(config.seed + 1)
    x, y = random_batch(splits.train, 4, 16, batches)
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
    loss.backward()
    norm = math.sqrt(sum(p.grad.square().sum().item() for p in model.parameters()))
    assert (start.step, start.tokens, start.seconds, start.batch_loss) == (0, 0, 0.0, None)
    assert start.val_loss == pytest.approx(math.log(tiny_config.vocab_size), abs=0.1)
    assert (first.step, first.tokens) == (1, 64)
    assert first.batch_loss == pytest.approx(loss.item())
    assert first.grad_norm == pytest.approx(norm, rel=1e-4)
    assert first.learning_rate == pytest.approx(config.learning_rate / 2)
    assert second.learning_rate == config.learning_rate
    assert second.val_loss is not None
    assert 0 < first.seconds < second.seconds


def test_losses_are_recorded_at_the_configured_steps(tiny_config, splits):
    config = TrainConfig(steps=50, batch_size=2, log_interval=20, eval_interval=30, eval_batches=1)
    state = TrainState.create(tiny_config, config, CPU)
    rows = list(train(state, splits, config))
    snapshots = {0, 1, 3, 5, 7, 11, 14, 19, 24, 30, 36, 43, 50}
    assert set(snapshot_steps(50)) == snapshots
    assert [row.step for row in rows] == list(range(51))
    assert {row.step for row in rows if row.val_loss is not None} == snapshots | {30}
    assert {row.step for row in rows if row.batch_loss is not None} == snapshots - {0} | {
        20,
        30,
        40,
    }
    assert [row.step for row in state.rows] == sorted(snapshots | {20, 30, 40})
    assert list(train(state, splits, config)) == []


def test_estimates_use_the_same_windows_without_dropout(tiny_config, splits):
    config = TrainConfig(batch_size=4, eval_batches=3)
    dropping = dataclasses.replace(tiny_config, dropout=0.5)
    state = TrainState.create(dropping, config, CPU)
    torch.nn.init.normal_(state.model.blocks[0].mlp.down.weight)  # zero at first, as is its dropout
    first = estimate(state, splits, config)
    assert set(first) == {"train_loss", "val_loss"}
    state.step = 7
    assert estimate(state, splits, config) == first


@pytest.mark.parametrize("interval", [1, 5])
def test_dropout_is_on_while_training(tiny_config, splits, interval):
    # A fresh model's residual branches are zero; after one update they are not.
    def second_batch_loss(dropout: float) -> float:
        config = TrainConfig(
            steps=2, batch_size=4, log_interval=1, eval_interval=interval, eval_batches=1
        )
        shape = dataclasses.replace(tiny_config, dropout=dropout)
        return list(train(TrainState.create(shape, config, CPU), splits, config))[2].batch_loss

    assert second_batch_loss(0.5) != second_batch_loss(0.0)


def test_the_gradient_is_clipped_and_its_full_norm_recorded(tiny_config, splits):
    def run(clip: float) -> tuple[float, float]:
        config = TrainConfig(steps=1, batch_size=4, grad_clip=clip, eval_batches=1)
        state = TrainState.create(tiny_config, config, CPU)
        *_, row = train(state, splits, config)
        moments = state.optimizers[0].state.values()
        return row.grad_norm, math.sqrt(sum(m["exp_avg"].square().sum().item() for m in moments))

    (norm, moment), (clipped_norm, clipped_moment) = run(0.0), run(0.5)
    assert clipped_norm == norm > 0.5
    assert clipped_moment == pytest.approx(moment * 0.5 / norm, rel=1e-3)


def test_bfloat16_training_has_nearly_the_loss_of_float32(tiny_config, splits):
    def last_loss(precision: str) -> float:
        config = TrainConfig(steps=20, batch_size=4, precision=precision, eval_batches=2)
        state = TrainState.create(tiny_config, config, CPU)
        *_, row = train(state, splits, config)
        assert all(p.dtype == torch.float32 for p in state.model.parameters())
        return row.val_loss

    assert last_loss("bfloat16") == pytest.approx(last_loss("float32"), abs=0.05)
    assert last_loss("bfloat16") != last_loss("float32")


def test_a_loss_that_is_not_finite_ends_the_run(tiny_config, splits):
    config = TrainConfig(steps=5, batch_size=4, log_interval=1, eval_batches=1)
    state = TrainState.create(tiny_config, config, CPU)
    torch.nn.init.constant_(state.model.head.bias, math.nan)
    with pytest.raises(DivergedError, match=r"^the loss is not finite at step 1$"):
        list(train(state, splits, config))


@pytest.mark.parametrize("interval", [3, 5])
def test_a_model_that_diverged_is_never_evaluated(tiny_config, splits, interval):
    config = TrainConfig(
        steps=1000, batch_size=4, log_interval=20, eval_interval=interval, eval_batches=1
    )
    state = TrainState.create(tiny_config, config, CPU)
    rows = train(state, splits, config)
    assert [next(rows).step for _ in range(2)] == [0, 1]
    torch.nn.init.constant_(state.model.head.bias, math.nan)
    steps = []
    with pytest.raises(DivergedError, match=f"^the loss is not finite at step {interval}$"):
        steps.extend(row.step for row in rows)
    assert steps == list(range(2, interval))
    assert [row.step for row in state.rows] == [0]


def test_weights_that_no_checkpoint_can_hold_end_the_run(tiny_config, splits):
    config = TrainConfig(steps=5, batch_size=4, eval_batches=1)
    state = TrainState.create(tiny_config, config, CPU)
    rows = train(state, splits, config)
    next(rows)
    # The same number added to all logits changes no probability, but overflows in float16.
    torch.nn.init.constant_(state.model.head.bias, 1e5)
    with pytest.raises(DivergedError, match=r"^the weights are not finite at step 1$"):
        next(rows)

import dataclasses
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from microgpt.checkpoint.provenance import MAX_LENGTH
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import split
from microgpt.training.loop import train
from microgpt.training.settings import ResumeError, RunSettings
from microgpt.training.state import DivergedError, TrainState, TrainStateError

CPU = torch.device("cpu")
SETTINGS = RunSettings(GPTConfig(), TrainConfig(), "ab" * 32)
CONFIGS = dataclasses.asdict(SETTINGS)


@pytest.fixture
def dropout_config(tiny_config) -> GPTConfig:
    return GPTConfig(**{**tiny_config.to_dict(), "dropout": 0.3})


@pytest.fixture
def splits(tokenizer, corpus, tiny_config):
    return split(tokenizer.encode(corpus), tiny_config.block_size)


def settings(**changes: object) -> TrainConfig:
    values = {"steps": 6, "batch_size": 4, "eval_interval": 3, "eval_batches": 2, "log_interval": 1}
    return TrainConfig(**(values | changes))


def weights(state: TrainState) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in state.result.parameters()])


def losses(state: TrainState) -> list[tuple]:
    return [(row.step, row.batch_loss, row.train_loss, row.val_loss) for row in state.rows]


@pytest.mark.parametrize(
    "changes", [{"optimizer": "muon", "ema_decay": 0.9}, {"optimizer": "adamw"}], ids=str
)
def test_a_restored_run_has_the_weights_of_an_uninterrupted_one(
    dropout_config, splits, tmp_path, changes
):
    config = settings(**changes)
    whole = TrainState.create(dropout_config, config, CPU)
    for _ in train(whole, splits, config):
        pass

    stopped = TrainState.create(dropout_config, config, CPU)
    for row in train(stopped, splits, config):
        if row.step == 3:
            stopped.save(tmp_path / "state.pt", SETTINGS)
            break
    torch.manual_seed(99)  # other random numbers of the process must not matter
    resumed = TrainState.create(dropout_config, config, CPU)
    resumed.restore(tmp_path / "state.pt", SETTINGS)
    assert (resumed.step, resumed.seconds) == (3, stopped.seconds)
    assert resumed.rows == stopped.rows
    for _ in train(resumed, splits, config):
        pass
    assert torch.equal(weights(resumed), weights(whole))
    assert losses(resumed) == losses(whole)


def test_the_seed_determines_the_weights(dropout_config, splits):
    def run(seed: int) -> torch.Tensor:
        config = settings(seed=seed)
        state = TrainState.create(dropout_config, config, CPU)
        for _ in train(state, splits, config):
            pass
        return weights(state)

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_the_result_is_the_ema_of_the_weights(dropout_config, splits):
    config = settings(ema_decay=0.75)
    state = TrainState.create(dropout_config, config, CPU)
    expected = None
    for row in train(state, splits, config):
        if row.step == 0:
            continue
        now = torch.cat([p.detach().flatten() for p in state.model.parameters()])
        expected = now if expected is None else 0.75 * expected + 0.25 * now
    torch.testing.assert_close(weights(state), expected)
    assert not torch.equal(weights(state), now)

    plain = TrainState.create(dropout_config, settings(), CPU)
    assert plain.result is plain.model


def test_a_state_of_another_text_is_refused(dropout_config, tmp_path):
    state = TrainState.create(dropout_config, settings(), CPU)
    state.save(tmp_path / "state.pt", SETTINGS)
    with pytest.raises(ResumeError, match="another text"):
        state.restore(tmp_path / "state.pt", dataclasses.replace(SETTINGS, data_sha256="cd" * 32))


def test_saving_replaces_the_old_state(dropout_config, tmp_path):
    state = TrainState.create(dropout_config, settings(), CPU)
    state.save(tmp_path / "state.pt", SETTINGS)
    state.step = 4
    state.save(tmp_path / "state.pt", SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]
    state.step = 0
    state.restore(tmp_path / "state.pt", SETTINGS)
    assert state.step == 4


class Harm:
    def __reduce__(self):
        return os.mkdir, ("harm",)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"not a state",
        lambda data: data[: len(data) // 2],
        lambda data: pickle.dumps(Harm(), protocol=2),
    ],
    ids=["empty", "text", "truncated", "pickle"],
)
def test_a_damaged_state_is_refused_and_runs_no_code(dropout_config, tmp_path, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "state.pt"
    state = TrainState.create(dropout_config, settings(), CPU)
    state.save(path, SETTINGS)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TrainStateError, match="cannot be read"):
        state.restore(path, SETTINGS)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "values",
    [
        ["a", "list"],
        {"a": torch.zeros(2)},
        {"configs": CONFIGS},
        {"configs": CONFIGS, "parts": []},
        {"configs": CONFIGS, "parts": [{}, {}]},
        {"configs": CONFIGS | {"train": []}},
        {"configs": CONFIGS, "format": "2"},
        {"configs": torch.zeros(2)},
    ],
    ids=str,
)
def test_a_file_without_a_state_is_refused(dropout_config, tmp_path, values):
    path = tmp_path / "state.pt"
    torch.save(values, path)
    with pytest.raises(TrainStateError, match=r"cannot be read|the format of state"):
        TrainState.create(dropout_config, settings(), CPU).restore(path, SETTINGS)


@pytest.mark.parametrize("value", [torch.inf, torch.nan, 1e6])
def test_weights_that_no_checkpoint_can_hold_are_refused(dropout_config, value):
    state = TrainState.create(dropout_config, settings(), CPU)
    state.check_finite()
    torch.nn.init.constant_(state.model.head.bias, value)
    with pytest.raises(DivergedError, match="the weights are not finite at step 0"):
        state.check_finite()


def test_a_state_with_an_infinite_moment_is_refused(dropout_config, splits):
    config = settings(steps=1)
    state = TrainState.create(dropout_config, config, CPU)
    for _ in train(state, splits, config):
        pass
    state.check_finite()
    next(iter(state.optimizers[0].state.values()))["exp_avg"][0] = torch.inf
    with pytest.raises(DivergedError, match="not finite at step 1"):
        state.check_finite()


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_restored_run_has_the_options_of_its_new_settings(dropout_config, tmp_path, optimizer):
    saved = RunSettings(dropout_config, settings(optimizer=optimizer), "")
    TrainState.create(dropout_config, saved.train, CPU).save(tmp_path / "state.pt", saved)
    rates = {"learning_rate": 0.1, "muon_learning_rate": 0.2, "weight_decay": 0.3}
    changed = dataclasses.replace(saved, train=settings(optimizer=optimizer, **rates))
    state = TrainState.create(dropout_config, changed.train, CPU)
    state.restore(tmp_path / "state.pt", changed)
    fresh = TrainState.create(dropout_config, changed.train, CPU)
    for found, expected in zip(state.optimizers, fresh.optimizers, strict=True):
        for group, wanted in zip(found.param_groups, expected.param_groups, strict=True):
            assert group | {"params": []} == wanted | {"params": []}
    assert state.changes == (
        "at step 0: learning_rate from 0.0003 to 0.1, muon_learning_rate from 0.02 to 0.2, "
        "weight_decay from 0.01 to 0.3"
    )


def test_only_the_newest_of_many_changes_are_kept(dropout_config, tmp_path):
    path = tmp_path / "state.pt"
    before = RunSettings(dropout_config, settings(), "")
    state = TrainState.create(dropout_config, before.train, CPU)
    made: list[str] = []
    for step in range(100):
        after = dataclasses.replace(before, train=settings(steps=200 + step))
        state.step = step
        state.save(path, before)
        state.restore(path, after)
        steps = f"{before.train.steps} to {after.train.steps}"
        made.append(f"at step {step}: steps from {steps}")
        before = after
    kept = state.changes.split("; ")
    assert kept == made[-len(kept) :]
    assert len(state.changes) <= MAX_LENGTH < len("; ".join(made[-len(kept) - 1 :]))


FULL_DISK = """
import resource, sys
from pathlib import Path
import torch
from microgpt.config import GPTConfig, TrainConfig
from microgpt.training.settings import ResumeError, RunSettings
from microgpt.training.state import DivergedError, TrainState, TrainStateError
path = Path(sys.argv[1])
settings = RunSettings(GPTConfig(), TrainConfig(), "")
state = TrainState.create(GPTConfig(n_layer=1, n_embd=12), TrainConfig(), torch.device("cpu"))
state.save(path, settings)
state.step = 4
size = path.stat().st_size
for limit in (0, 8192, size // 4, size // 2, size - 1):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        state.save(path, settings)
    except TrainStateError as error:
        print(error)
state.restore(path, settings)
print(state.step, *path.parent.iterdir())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on a file's size")
def test_a_full_disk_is_an_error_and_leaves_the_old_state(tmp_path):
    path = tmp_path / "state.pt"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    *sentences, last = done.stdout.splitlines()
    assert sentences == [f"cannot write {path}: File too large"] * 5, done.stderr
    assert last == f"0 {path}"


def test_a_missing_state_is_refused(dropout_config, tmp_path):
    state = TrainState.create(dropout_config, settings(), CPU)
    with pytest.raises(TrainStateError, match="cannot be read"):
        state.restore(tmp_path / "state.pt", SETTINGS)

import copy
import dataclasses

import pytest
import torch
from torch.overrides import TorchFunctionMode

from microgpt.config import OPTIMIZERS, TrainConfig
from microgpt.model import GPT
from microgpt.training.optim import MAKERS, lr_schedule, make_optimizers, set_learning_rates, update
from tests.models import OTHER_SHAPES

CONFIG = TrainConfig(learning_rate=1e-3, muon_learning_rate=0.02, weight_decay=0.1)


@pytest.fixture(params=[{}, OTHER_SHAPES["nanoGPT with biases"]], ids=["ours", "nanoGPT"])
def fresh(tiny_config, request) -> GPT:
    return GPT(dataclasses.replace(tiny_config, **request.param))


def names(model: GPT, group: dict) -> set[str]:
    """The names of the parameters of an optimizer's group."""
    parameters = {id(p) for p in group["params"]}
    return {name for name, p in model.named_parameters() if id(p) in parameters}


def test_every_optimizer_of_the_config_exists():
    assert tuple(MAKERS) == OPTIMIZERS


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_parameter_is_in_one_group_and_only_matrices_decay(fresh, kind):
    optimizers = make_optimizers(fresh, dataclasses.replace(CONFIG, optimizer=kind))
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    parameters = [id(p) for group in groups for p in group["params"]]
    assert sorted(parameters) == sorted(id(p) for p in fresh.parameters())
    for group in groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.1 if parameter.ndim == 2 else 0.0)


def test_muon_updates_only_the_matrices_of_the_blocks(fresh):
    adamw, muon = make_optimizers(fresh, dataclasses.replace(CONFIG, optimizer="muon"))
    assert isinstance(adamw, torch.optim.AdamW)
    assert isinstance(muon, torch.optim.Muon)
    matrices = {"attention.qkv", "attention.proj", "mlp.up", "mlp.down"}
    expected = {f"blocks.{layer}.{name}.weight" for layer in (0, 1) for name in matrices}
    assert names(fresh, muon.param_groups[0]) == expected
    assert [group["lr"] for group in muon.param_groups] == [0.02]
    assert [group["lr"] for group in adamw.param_groups] == [1e-3, 1e-3]


def test_adamw_alone_updates_all_parameters(fresh):
    (optimizer,) = make_optimizers(fresh, CONFIG)
    assert isinstance(optimizer, torch.optim.AdamW)


def test_the_learning_rate_warms_up_and_decays():
    config = TrainConfig(steps=100, warmup_steps=4, decay_fraction=0.5)
    factors = [lr_schedule(step, config) for step in range(100)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[5:51] == [1.0] * 46
    assert factors[51:] == pytest.approx([(100 - step) / 50 for step in range(51, 100)])
    assert factors[-1] > 0.0


def test_without_warm_up_and_decay_the_learning_rate_is_constant():
    assert {lr_schedule(step, TrainConfig(steps=10)) for step in range(10)} == {1.0}


def test_the_schedule_multiplies_the_peak_of_each_group(fresh):
    optimizers = make_optimizers(fresh, dataclasses.replace(CONFIG, optimizer="muon"))
    for factor in (0.5, 0.25):  # each time a factor of the peak
        set_learning_rates(optimizers, factor)
        rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
        assert rates == pytest.approx([factor * 1e-3, factor * 1e-3, factor * 0.02])


def test_an_update_steps_every_optimizer_and_clears_the_gradients(fresh):
    config = dataclasses.replace(CONFIG, optimizer="muon")
    alone = copy.deepcopy(fresh)
    for model in (fresh, alone):
        draw = torch.Generator().manual_seed(3)
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=draw)
    update(make_optimizers(fresh, config))
    for optimizer in make_optimizers(alone, config):
        optimizer.step()
    for ours, theirs in zip(fresh.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0.02 * 0.02)
        assert ours.grad is None


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [({"avx2": True}, torch.float32), ({"avx512_bf16": True}, torch.bfloat16)],
    ids=["a CPU without bfloat16", "a CPU with bfloat16"],
)
def test_muon_uses_bfloat16_only_on_a_cpu_that_supports_it(fresh, monkeypatch, capabilities, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    products = set()

    class Recorder(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func in (torch.Tensor.matmul, torch.addmm):
                products.add((func, args[0].dtype))
            return func(*args, **(kwargs or {}))

    for parameter in fresh.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizers = make_optimizers(fresh, dataclasses.replace(CONFIG, optimizer="muon"))
    with Recorder():
        update(optimizers)
    assert products == {(torch.Tensor.matmul, dtype), (torch.addmm, dtype)}

"""The optimizers, all from PyTorch, and the learning-rate schedule."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from microgpt.config import TrainConfig
from microgpt.model import Transformer


def _adamw(parameters: Iterable[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW with weight decay on matrices only, not on biases and LayerNorms."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim == 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim != 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def adamw(model: Transformer, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """AdamW for every parameter (Loshchilov and Hutter, 2019)."""
    return [_adamw(model.parameters(), config)]


def muon(model: Transformer, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for the rest.

    Source: Jordan et al., 2024, kellerjordan.github.io/posts/muon.
    """
    blocks = [part for name, part in model.named_children() if name.endswith("blocks")]
    every = (p for part in blocks for p in part.parameters())
    matrices = {p: None for p in every if p.ndim == 2}  # an ordered set
    by_muon = torch.optim.Muon(
        matrices, lr=config.muon_learning_rate, weight_decay=config.weight_decay
    )
    return [_adamw([p for p in model.parameters() if p not in matrices], config), by_muon]


# For each name in config.OPTIMIZERS, a function that assigns every parameter to one optimizer.
MAKERS: dict[str, Callable[[Transformer, TrainConfig], list[torch.optim.Optimizer]]] = {
    "adamw": adamw,
    "muon": muon,
}


def make_optimizers(model: Transformer, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Make the optimizers for config.optimizer; each group keeps its peak rate as `initial_lr`."""
    optimizers = MAKERS[config.optimizer](model, config)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers


def lr_schedule(step: int, config: TrainConfig) -> float:
    """The learning-rate schedule: the rate of update `step`, as a fraction of the peak.

    step: from 0. The fraction rises linearly over warmup_steps, and falls linearly to 0 over the
    last decay_fraction of the steps.
    """
    warmup = min(1.0, (step + 1) / (config.warmup_steps + 1))
    decay_steps = config.decay_fraction * config.steps
    decay = min(1.0, (config.steps - step) / decay_steps) if decay_steps else 1.0
    return min(warmup, decay)


def set_learning_rates(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    """Set the learning rate of every group to `factor` times its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = factor * group["initial_lr"]


def update(optimizers: list[torch.optim.Optimizer]) -> None:
    """Update the parameters with their gradients, then clear the gradients."""
    on_cpu = optimizers[0].param_groups[0]["params"][0].is_cpu
    slow = on_cpu and not multiplies_bfloat16(torch.cpu.get_capabilities())
    with _Float32Products() if slow else contextlib.nullcontext():
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()


def multiplies_bfloat16(capabilities: Mapping[str, Any]) -> bool:
    """Whether a CPU has instructions for bfloat16 products (see torch.cpu.get_capabilities)."""
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


class _Float32Products(TorchFunctionMode):
    """Computes bfloat16 matrix products in float32 and rounds the result, on a CPU.

    Muon orthogonalises in bfloat16. Many CPUs have no hardware for it, and are much slower in
    bfloat16 than in float32. The accuracy is the same: bfloat16 hardware also accumulates in
    float32.
    """

    _PRODUCTS = (torch.Tensor.matmul, torch.addmm)

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in self._PRODUCTS and args[0].dtype == torch.bfloat16:
            return func(*(matrix.float() for matrix in args), **kwargs).bfloat16()
        return func(*args, **kwargs)

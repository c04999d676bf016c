"""Optimisers and the learning rate's course, all of them PyTorch's own."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from microgpt.config import TrainConfig
from microgpt.model import GPT


def make_optimizers(model: GPT, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """AdamW for every parameter, or Muon for the blocks' matrices and AdamW for the rest.

    Weight decay reaches matrices only, never biases and norms. Each group remembers its peak rate
    as `initial_lr`. Muon: Jordan et al., 2024, kellerjordan.github.io/posts/muon.
    """
    blocks = {p for p in model.blocks.parameters() if p.ndim == 2}
    blocks = blocks if config.optimizer == "muon" else set()
    by_muon = [p for p in model.parameters() if p in blocks]
    rest = [p for p in model.parameters() if p not in blocks]
    groups = [
        {"params": [p for p in rest if p.ndim == 2], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if p.ndim != 2], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
    optimizers: list[torch.optim.Optimizer] = [adamw]
    if by_muon:
        optimizers.append(
            torch.optim.Muon(
                by_muon, lr=config.muon_learning_rate, weight_decay=config.weight_decay
            )
        )
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers


def rate_factor(step: int, config: TrainConfig) -> float:
    """The share, 0 to 1, of the peak learning rate that update `step` (from 0) is made with."""
    warm = min(1.0, (step + 1) / (config.warmup_steps + 1))
    decay_steps = config.decay_fraction * config.steps
    cool = min(1.0, (config.steps - step) / decay_steps) if decay_steps else 1.0
    return min(warm, cool)


def set_rates(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    """Set every group's learning rate to `factor` of its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = factor * group["initial_lr"]


def update(optimizers: list[torch.optim.Optimizer]) -> None:
    """Change the parameters by their gradients, and clear those."""
    on_cpu = optimizers[0].param_groups[0]["params"][0].is_cpu
    with _Float32Products() if on_cpu else contextlib.nullcontext():
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()


class _Float32Products(TorchFunctionMode):
    """Computes products of bfloat16 matrices in float32 and rounds what they come to; for a CPU.

    Muon orthogonalises in bfloat16. A unit for that adds up in float32 too, and many CPUs have
    none: there its products take many times as long as float32's.
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

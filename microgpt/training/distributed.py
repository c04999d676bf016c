"""Several processes that train one model, as torchrun starts them; one process is the usual case.

Each process draws the same batch, works on its own part of it, and ends with the same weights.
The first one writes.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@contextlib.contextmanager
def group(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started, if it did; over NCCL on GPUs, else over Gloo."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def local_rank() -> int:
    """Which of this machine's processes this is: the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", 0))


def rank() -> int:
    """Which process this is; the first, 0, writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train this model."""
    return dist.get_world_size() if dist.is_initialized() else 1


def part(batch: Tensor) -> Tensor:
    """This process's rows of a batch, whose number the processes share evenly."""
    return batch.chunk(world_size())[rank()]


def wrap(model: nn.Module) -> nn.Module:
    """The model, its gradients averaged over the processes when they are computed."""
    return DistributedDataParallel(model) if dist.is_initialized() else model


def mean(value: Tensor) -> Tensor:
    """The mean of a scalar over the processes."""
    value = value.detach().clone()
    if dist.is_initialized():
        dist.all_reduce(value)
    return value / world_size()


def gather(value: Any) -> list[Any]:
    """A value of each process, in the order of their ranks."""
    values = [value] * world_size()
    if dist.is_initialized():
        dist.all_gather_object(values, value)
    return values

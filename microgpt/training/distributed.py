"""Training in one process, or in several that torchrun started (distributed data parallel).

Every process draws the same batch and computes the gradient of its own part. After each step all
processes have the same weights. The process with rank 0 writes the files.
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
    """Join the process group if torchrun started this process: NCCL on GPUs, Gloo otherwise."""
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
    """The rank of this process on its machine, which is also the index of its GPU."""
    return int(os.environ.get("LOCAL_RANK", 0))


def rank() -> int:
    """The rank of this process among all processes; 0 without torchrun."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """The number of processes; 1 without torchrun."""
    return dist.get_world_size() if dist.is_initialized() else 1


def shard(batch: Tensor) -> Tensor:
    """The rows of a batch (B, …) for this process: B / world_size() rows."""
    return batch.chunk(world_size())[rank()]


def wrap(model: nn.Module) -> nn.Module:
    """Wrap the model so that gradients are averaged over the processes."""
    return DistributedDataParallel(model) if dist.is_initialized() else model


def mean(value: Tensor) -> Tensor:
    """The mean of a scalar over the processes."""
    value = value.detach().clone()
    if dist.is_initialized():
        dist.all_reduce(value)
    return value / world_size()


def gather(value: Any) -> list[Any]:
    """The values of all processes, in the order of their ranks."""
    values = [value] * world_size()
    if dist.is_initialized():
        dist.all_gather_object(values, value)
    return values

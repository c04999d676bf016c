"""The device that a model runs on: its selection, name and speed."""

import platform
import time
from pathlib import Path

import torch

from microgpt.errors import MicroGPTError

OUT_OF_MEMORY = (
    "the GPU has too little free memory; pass --device cpu, or train with a smaller batch_size"
)


class DeviceError(MicroGPTError):
    """The requested device is not available."""


def pick_device(name: str | None) -> torch.device:
    """Return the named device; by default CUDA if available, else the CPU. Raises DeviceError."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise DeviceError(f"there is no device called {name!r}; pass cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError("there is no CUDA device here; pass --device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise DeviceError(f"there is no {name}; the last CUDA device here is cuda:{count - 1}")
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"{name!r} is not supported; pass cpu or cuda")
    return device


def hardware_name(device: torch.device, count: int = 1) -> str:
    """A readable name for `count` devices of this kind."""
    if device.type == "cuda":
        return (f"{count} x " if count > 1 else "") + torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
    threads = torch.get_num_threads()
    return f"{name}, {threads} {'thread' if threads == 1 else 'threads'}"


def matmul_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Measure the speed of large square matrix products on this device, in FLOP/s.

    The result is the best of a few products.
    """
    size = 8192 if device.type == "cuda" else 1024
    a = torch.randn(size, size, device=device).to(dtype)
    best = 0.0
    deadline = _now(device) + 1.0  # without bfloat16 hardware, one product takes seconds
    for _ in range(10):
        started = _now(device)
        a @ a
        ended = _now(device)
        best = max(best, 2 * size**3 / (ended - started))
        if ended > deadline:
            break
    return best


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()

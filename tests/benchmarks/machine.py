"""What a benchmark ran on, for its record."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch


def machine(*packages: str) -> dict[str, object]:
    """The CPU, and the versions of those of the packages that are installed."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].split(":")[1].strip() if models else cpu
    versions = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "torch threads": torch.get_num_threads(),
        "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE"),
        "versions": versions,
    }


def told(machine: dict) -> str:
    """What the README says of a record's machine."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return f"Measured on {machine['cpu']}, {machine['cores']} cores, with {versions}."

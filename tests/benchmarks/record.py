"""A benchmark's record: its file, what it ran on, and the command's options for both."""

import argparse
import json
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


def options(path: Path) -> argparse.ArgumentParser:
    """Where to keep the record, and whether only to show the one that is kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=path)
    parser.add_argument("--table", action="store_true", help="print the kept record's table only")
    return parser


def write_record(record: dict[str, object], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_record(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))

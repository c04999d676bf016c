"""The record of a benchmark: its file, the machine it ran on, and the command-line options."""

import argparse
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch


def machine(*packages: str) -> dict[str, object]:
    """The CPU, and the versions of the named packages that are installed."""
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


def machine_line(machine: dict) -> str:
    """The README's sentence about the machine of a record."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return f"Measured on {machine['cpu']}, {machine['cores']} cores, with {versions}."


def goals_table(
    title: str,
    goals: Mapping[str, tuple[str, float, int]],
    reached: Sequence[float],
    record: dict,
) -> str:
    """The README's table of a page: goals, measured values, times and the machine.

    goals: for each measurement, its unit, the goal (an upper limit; 0 for none at all), and the
    decimals of the measured value. A longest task of 0 ms means that none exceeds 50 ms.
    """
    lines = [f"| {title} | goal | measured | |", "| --- | --- | --- | --- |"]
    for (what, (unit, most, places)), got in zip(goals.items(), reached, strict=True):
        verdict = "met" if got <= most else "missed"
        shown = "none above 50 ms" if unit == "ms" and not got else f"{got:,.{places}f} {unit}"
        goal = f"≤ {most:,}" if most else "none"
        lines.append(f"| {what} | {goal} {unit} | {shown} | {verdict} |")
    times = ", ".join(f"{name} {ms:.0f}" for name, ms in record["milliseconds, medians"].items())
    lines += ["", f"Medians of {record['rounds']} rounds, in milliseconds: {times}."]
    return "\n".join([*lines, machine_line(record["machine"])])


def options(path: Path) -> argparse.ArgumentParser:
    """The parser with --out, the file of the record, and --table, which only prints it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=path)
    parser.add_argument(
        "--table",
        action="store_true",
        help="print the record's table, measure nothing",
    )
    return parser


def run(path: Path, measure: Callable[[], dict[str, object]], table: Callable[[dict], str]) -> None:
    """Run a benchmark from the command line: measure, write the record, print its table."""
    args = options(path).parse_args()
    if not args.table:
        write_record(measure(), args.out)
    print(table(read_record(args.out)))


def write_record(record: dict[str, object], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_record(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))

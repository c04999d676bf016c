"""Results of the GPU runs: which are finished, a report, and the files to keep."""

import io
import json
import statistics
import tarfile
from dataclasses import replace
from pathlib import Path

from microgpt import atomic
from microgpt.checkpoint import CONFIG, LOSS_RECORD, WEIGHTS
from microgpt.checkpoint.loss_record import first_reaching
from microgpt.checkpoint.runs import ORIGINAL, Run, read_run
from microgpt.checkpoint.throughput import characters_per_second, estimate_mfu

TARGET = ORIGINAL["seed"][1]
PART_BYTES = 15 * 10**6


def finished_run(folder: Path) -> Run | None:
    """The finished run in a folder, or None."""
    run = read_run(folder) if (folder / CONFIG).exists() else None
    return run if run is not None and run.training.val_loss_full is not None else None


def finished_runs(out: Path) -> list[Run]:
    """The finished runs in a folder, oldest first."""
    runs = [run for folder in out.iterdir() if (run := finished_run(folder))]
    return sorted(runs, key=lambda run: (out / run.name / CONFIG).stat().st_mtime)


def best_runs(runs: list[Run]) -> list[Run]:
    """The best-* runs, in order of their loss, lowest first."""
    best = [run for run in runs if run.name.startswith("best-")]
    return sorted(best, key=lambda run: run.training.val_loss_full)


def median(runs: list[Run]) -> Run:
    """The run in the middle of a sorted list; of an even number, the one with the lower loss."""
    return runs[(len(runs) - 1) // 2]


def estimates_path(out: Path, name: str) -> Path:
    """The file with the losses of a run by the original's protocol, as evaluate prints them."""
    return out / f"{name}.json"


def report(out: Path) -> str:
    """A Markdown table of the finished runs, and the mean loss of the best-* runs."""
    runs = finished_runs(out)
    lines = [
        "| run | whole validation split | train, val over 200 random batches "
        f"| val {TARGET} at step, training s, wall-clock s | characters/s | MFU |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for run in runs:
        share = estimate_mfu(run.config, run.training)
        cells = (
            run.name,
            f"{run.training.val_loss_full:.4f}",
            _estimates(estimates_path(out, run.name)),
            "" if run.name.startswith("choose-") else _reached(run),
            f"{characters_per_second(run.training):,.0f}",
            "" if share is None else f"{share:.1%}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    if best := best_runs(runs):
        mean = statistics.mean(run.training.val_loss_full for run in best)
        lines.append(f"\nbest-*: mean {mean:.4f} of {len(best)}, median {median(best).name}.")
        if len({(run.config, replace(run.training.config, seed=0)) for run in best}) > 1:
            lines.append("Their recipes differ; move the runs of all but one recipe elsewhere.")
        if not (out / median(best).name / WEIGHTS).exists():
            lines.append(
                "The median run has no weights here; move its folder elsewhere to make it again."
            )
    return "\n".join(lines) + "\n"


def _estimates(path: Path) -> str:
    if not path.exists():
        return ""
    values = json.loads(path.read_text(encoding="utf-8"))
    return "{train_loss_sampled:.4f}, {val_loss_sampled:.4f}".format(**values)


def _reached(run: Run) -> str:
    row = first_reaching(run.loss_record, TARGET)
    return f"{row.step}, {row.seconds:.1f}, {row.wall_seconds:.1f}" if row else "not reached"


def pack(out: Path, folder: Path) -> None:
    """Write the results of the runs in `out` to files in `folder`, of at most PART_BYTES each.

    Each file is written atomically. The parts of an earlier median checkpoint are deleted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "report.md", report(out).encode())
    runs = finished_runs(out)
    names = [f"{run.name}/{name}" for run in runs for name in (CONFIG, LOSS_RECORD)]
    names += [path.name for run in runs if (path := estimates_path(out, run.name)).exists()]
    _replace(folder / "records.tar.gz", _tar(out, names, "w:gz"))

    best = best_runs(runs)
    if not best or not (out / median(best).name / WEIGHTS).exists():
        return
    name = median(best).name
    archive = _tar(out, [name], "w")
    starts = range(0, len(archive), PART_BYTES)
    parts = {folder / f"{name}.tar.{i}": at for i, at in enumerate(starts)}
    for old in set(folder.glob("best-*.tar.*")) - set(parts):
        old.unlink()
    for part, at in parts.items():
        _replace(part, archive[at : at + PART_BYTES])


def _tar(folder: Path, names: list[str], mode: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name in names:
            archive.add(folder / name, name)
    return file.getvalue()


def _replace(path: Path, data: bytes) -> None:
    with atomic.replacing(path) as partial:
        partial.write_bytes(data)

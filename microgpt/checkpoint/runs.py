"""The training runs kept in assets/runs: a folder per run, with its config and loss record."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from microgpt.checkpoint import CONFIG, LOSS_RECORD, CheckpointError, read_config
from microgpt.checkpoint.loss_record import LossRow, from_csv
from microgpt.checkpoint.provenance import Training
from microgpt.config import GPTConfig
from microgpt.formats import decode
from microgpt.model import without_weights

# The training and validation losses that the original recorded, on random batches.
ORIGINAL = {
    "phase1": (2.2838, 2.2877),
    "phase2": (2.0105, 2.0843),
    "phase3": (2.0148, 2.0750),
    "phase4": (1.9976, 2.0675),
    "seed": (1.1111, 1.4815),
}
# What each small model adds to the one before it.
IDEAS = {
    "phase1": "attention and MLP",
    "phase2": "residual connections",
    "phase3": "LayerNorm in each layer",
    "phase4": "LayerNorm before the head",
}
RUNS = Path(__file__).parents[2] / "assets" / "runs"


@dataclass(frozen=True)
class Run:
    """A finished run without its weights; name is that of its folder."""

    name: str
    config: GPTConfig
    training: Training
    loss_record: list[LossRow]

    @property
    def title(self) -> str:
        """A short name for a reader who does not know the folders."""
        if self.name in IDEAS:
            return f"Small model {[*IDEAS].index(self.name) + 1}: {IDEAS[self.name]}"
        if self.training.preset == "gpu":
            return f"Full model, seed {self.training.config.seed}"
        return "Full model, less training" if self.training.preset == "cpu" else self.name


def bundled_runs(folder: str | Path = RUNS) -> list[Run]:
    """All runs in a folder. Raises CheckpointError or LossRecordError if one is damaged."""
    return [read_run(path) for path in sorted(Path(folder).iterdir()) if path.is_dir()]


def read_run(folder: str | Path) -> Run:
    """Read the run in a folder. Raises CheckpointError or LossRecordError if it is damaged."""
    folder = Path(folder)
    config, training, hashes = read_config(folder)
    data = (folder / LOSS_RECORD).read_bytes()
    if hashlib.sha256(data).hexdigest() != hashes[LOSS_RECORD]:
        raise CheckpointError(f"{LOSS_RECORD} of the run {folder.name} is not the one in {CONFIG}")
    return Run(folder.name, config, training, from_csv(decode(LOSS_RECORD, data)))


def last_estimate(rows: Iterable[LossRow]) -> tuple[float, float]:
    """The last estimated training and validation losses of a record; NaN if there are none."""
    last = (math.nan, math.nan)
    for row in rows:
        if row.train_loss is not None and row.val_loss is not None:
            last = row.train_loss, row.val_loss
    return last


def table(runs: Iterable[Run]) -> str:
    """A Markdown table that compares the runs with those of the original."""
    lines = [
        "| run | parameters | train, val loss | original's train, val loss "
        "| loss on the whole validation split | hardware |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for run in runs:
        parameters = without_weights(run.config).parameter_count()
        ours = "{:.4f}, {:.4f}".format(*last_estimate(run.loss_record))
        theirs = "{:.4f}, {:.4f}".format(*ORIGINAL[run.name]) if run.name in ORIGINAL else ""
        full = f"{run.training.val_loss_full:.4f}"
        cells = (f"`{run.name}`", f"{parameters:,}", ours, theirs, full, run.training.hardware)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)

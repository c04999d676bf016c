"""A training run that takes a second."""

import dataclasses
from pathlib import Path

from microgpt.checkpoint.loss_record import LossRow
from microgpt.config import GPTConfig, TrainConfig
from microgpt.training.run import train_checkpoint

STEPS = 40
MODEL = {"block_size": 16, "n_layer": 2, "n_head": 2, "n_embd": 16, "dropout": 0.1}
TRAINING = {
    "optimizer": "adamw",
    "steps": STEPS,
    "batch_size": 4,
    "ema_decay": 0.9,
    "log_interval": 5,
    "eval_interval": 20,
    "eval_batches": 2,
}


def train_command(data: Path, out: Path, *options: str, **settings: object) -> list[str]:
    """The arguments of `microgpt` for the run, with some settings and options changed."""
    pairs = [f"--set={name}={value}" for name, value in (MODEL | TRAINING | settings).items()]
    return ["train", "--data", str(data), "--out", str(out), "--device", "cpu", *pairs, *options]


def without_times(rows: list[LossRow]) -> list[LossRow]:
    """The rows of a loss record without what a clock measured."""
    return [dataclasses.replace(row, seconds=0.0, wall_seconds=None) for row in rows]


def rows_of(corpus: str, out: Path, resume: bool = False, **settings: object) -> list[LossRow]:
    """Train the small run with some settings changed, and return the rows it yields."""
    config, model = TrainConfig(**TRAINING | settings), GPTConfig(**MODEL)
    return list(train_checkpoint(corpus, model, config, out, device="cpu", resume=resume))

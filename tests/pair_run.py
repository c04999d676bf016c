"""A training run of an encoder–decoder on dates that takes a few seconds."""

from pathlib import Path

import pytest

from microgpt import tasks
from microgpt.checkpoint.loss_record import LossRow
from microgpt.config import EncoderDecoderConfig, TrainConfig
from microgpt.training.run import train_checkpoint

LENGTH = 8000  # characters, about 250 lines
MODEL = {
    "block_size": 11,
    "n_layer": 1,
    "n_head": 2,
    "n_embd": 16,
    "dropout": 0.1,
    "source_size": 51,
}
TRAINING = {
    "task": "dates",
    "optimizer": "muon",
    "steps": 6,
    "batch_size": 4,
    "log_interval": 2,
    "eval_interval": 3,
    "eval_batches": 1,
    "snapshot_count": 3,
}


def rows_of(out: Path, resume: bool = False, **settings: object) -> list[LossRow]:
    """Train the small run with some settings changed, and return the rows it yields."""
    config, model = TrainConfig(**TRAINING | settings), EncoderDecoderConfig(**MODEL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "LENGTH", LENGTH)
        return list(train_checkpoint(None, model, config, out, device="cpu", resume=resume))

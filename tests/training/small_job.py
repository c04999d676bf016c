"""What the tests of visitors' runs train."""

import dataclasses

from microgpt.config import GPTConfig, TrainConfig
from microgpt.training.finish import Source
from tests.small_run import MODEL, TRAINING

SHAPE = GPTConfig(**MODEL)
# A second of training, with a state, an estimate and a snapshot every few steps.
SHORT = TrainConfig(**TRAINING | {"eval_interval": 10, "log_interval": 2, "snapshot_count": 5})
# Longer than any test waits for.
LONG = dataclasses.replace(SHORT, steps=20_000, eval_interval=20)
SOURCE = Source("words.txt", "tiny", "the Train page", "cd" * 20)

"""A checkpoint of a small encoder–decoder with random weights, with all that a run measures."""

import dataclasses
import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch

from microgpt import checkpoint, dates
from microgpt.checkpoint import PairCheckpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.provenance import Training
from microgpt.encoder_decoder import EncoderDecoder
from microgpt.pairs import encode_pairs
from microgpt.tokenizer import CharTokenizer
from microgpt.training.pair_finish import measure_snapshots
from microgpt.training.snapshot_weights import save_weights
from tests import pair_models

LINES = list(islice(dates.lines(random.Random(0)), 400))
HELD_OUT = "".join(line for line in LINES if dates.is_line_held_out(line))
TOKENIZER = CharTokenizer.from_text("".join(LINES))
CONFIG = dataclasses.replace(pair_models.CONFIG, vocab_size=TOKENIZER.vocab_size, source_size=48)
STEPS = [0, 10, 20]


def random_model(seed: int) -> EncoderDecoder:
    """A model in eval mode with random parameters."""
    generator = torch.Generator().manual_seed(seed)
    model = EncoderDecoder(CONFIG).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.normal_(0.0, 0.4, generator=generator)
    return model


def save_pair_checkpoint(
    folder: Path, rows: Sequence[LossRow], training: Training, measured: bool = True
) -> Path:
    """Save the checkpoint; unless measured, without snapshots and scores."""
    models = [random_model(step) for step in STEPS]
    made = dataclasses.replace(
        training,
        data="Dates in words",
        steps=STEPS[-1],
        config=dataclasses.replace(training.config, task="dates"),
    )
    parts = {}
    if measured:
        weights = folder.with_name(f"{folder.name} weights")
        for step, model in zip(STEPS, models, strict=True):
            save_weights(weights, model, step)
        held_out = encode_pairs(TOKENIZER, HELD_OUT)
        found = measure_snapshots(weights, STEPS, CONFIG, TOKENIZER, held_out)
        parts = dict(zip(("snapshots", "cross_scores"), found, strict=True))
    checkpoint.save(folder, PairCheckpoint(models[-1], TOKENIZER, list(rows), made, **parts))
    return folder

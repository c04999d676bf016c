"""Presets: the model shapes and training settings that `microgpt train --preset` names."""

from dataclasses import dataclass, replace
from typing import Any

from microgpt.config import EncoderDecoderConfig, GPTConfig, TrainConfig


@dataclass(frozen=True)
class Preset:
    """A named model shape and training settings; the text sets the vocabulary size."""

    about: str
    model: GPTConfig
    train: TrainConfig


def _phase(about: str, **changes: Any) -> Preset:
    """One of the four small models in the original's development, with its training settings."""
    model = GPTConfig(block_size=8, n_layer=3, n_head=4, n_embd=32, dropout=0.0)
    return Preset(
        f"a model from the original's development, under a minute on a CPU: {about}",
        replace(model, **changes),
        TrainConfig(batch_size=32, learning_rate=1e-3),
    )


PRESETS: dict[str, Preset] = {
    "seed": Preset(
        "the original's recipe, for a GPU: AdamW at a constant 3e-4, 5,000 steps",
        GPTConfig(),
        TrainConfig(),
    ),
    "tiny": Preset(
        "a small model, about two minutes on two CPU cores",
        GPTConfig(block_size=64, n_layer=3, n_head=4, n_embd=128, dropout=0.0),
        TrainConfig(
            steps=1000,
            batch_size=32,
            init="small",
            optimizer="muon",
            learning_rate=4e-3,
            warmup_steps=20,
            decay_fraction=0.6,
            grad_clip=1.0,
            log_interval=5,
            eval_interval=100,
            eval_batches=20,
        ),
    ),
    "cpu": Preset(
        "the full model with little compute: about 110 minutes on two CPU cores",
        GPTConfig(dropout=0.15),
        TrainConfig(
            steps=800,
            batch_size=32,
            init="small",
            optimizer="muon",
            learning_rate=2e-3,
            weight_decay=0.1,
            warmup_steps=20,
            decay_fraction=0.6,
            grad_clip=1.0,
            ema_decay=0.97,
            log_interval=1,
            eval_interval=50,
            eval_batches=6,
        ),
    ),
    "gpu": Preset(
        "the full model, for a GPU: a longer version of the cpu recipe, about a minute on an H100",
        GPTConfig(dropout=0.3),
        TrainConfig(
            steps=2400,
            init="small",
            optimizer="muon",
            learning_rate=2e-3,
            weight_decay=0.1,
            warmup_steps=50,
            decay_fraction=0.6,
            grad_clip=1.0,
            ema_decay=0.99,
            precision="bfloat16",
            eval_interval=200,
            eval_batches=20,
        ),
    ),
    "induction": Preset(
        "the smallest model with an induction head: two layers of one head, on the task repeats",
        GPTConfig(block_size=64, n_layer=2, n_head=1, n_embd=64, dropout=0.0),
        TrainConfig(
            steps=1500,
            batch_size=32,
            init="small",
            optimizer="muon",
            learning_rate=4e-3,
            warmup_steps=20,
            decay_fraction=0.5,
            grad_clip=1.0,
            log_interval=5,
            eval_interval=50,
            eval_batches=10,
            task="repeats",
            snapshot_count=60,
        ),
    ),
    "dates": Preset(
        "an encoder–decoder on the task dates, about a minute and a quarter on one CPU thread",
        EncoderDecoderConfig(
            block_size=11, n_layer=1, n_head=4, n_embd=64, dropout=0.0, source_size=51
        ),
        TrainConfig(
            steps=1800,
            batch_size=64,
            init="small",
            optimizer="muon",
            learning_rate=4e-3,
            warmup_steps=20,
            decay_fraction=0.6,
            grad_clip=1.0,
            log_interval=5,
            eval_interval=100,
            eval_batches=10,
            task="dates",
        ),
    ),
    "phase1": _phase("attention and MLP only", mlp_ratio=1, residual=False, norm="none"),
    "phase2": _phase("with residual connections and a 4x MLP", norm="none"),
    "phase3": _phase("with LayerNorm in the blocks", norm="blocks"),
    "phase4": _phase("with LayerNorm before the head too"),
}

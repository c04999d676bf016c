"""The command of a training run that takes a second."""

from pathlib import Path

STEPS = 40
SETTINGS = {
    "block_size": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_embd": 16,
    "dropout": 0.1,
    "optimizer": "adamw",
    "steps": STEPS,
    "batch_size": 4,
    "ema_decay": 0.9,
    "log_interval": 5,
    "eval_interval": 20,
    "eval_batches": 2,
}


def arguments(data: Path, out: Path, *more: str, **changes: object) -> list[str]:
    """The arguments of `microgpt`, with some of SETTINGS changed and more arguments at the end."""
    pairs = [f"--set={name}={value}" for name, value in (SETTINGS | changes).items()]
    return ["train", "--data", str(data), "--out", str(out), "--device", "cpu", *pairs, *more]

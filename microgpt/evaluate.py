"""Loss over a text. Run: python -m microgpt.evaluate --checkpoint DIR --data FILE"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt.data import random_batch, windows
from microgpt.model import GPT


def _loss(model: GPT, inputs: Tensor, targets: Tensor) -> Tensor:
    logits = model(inputs)
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


@torch.inference_mode()
def full_loss(
    model: GPT,
    data: Tensor,
    batch_size: int = 16,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> float:
    """Mean loss, nats per character, over every non-overlapping window of data (1-D).

    Deterministic; the model must be in eval mode. progress is told windows done and in all.
    """
    inputs, targets = windows(data, model.config.block_size)
    total = 0.0
    for at in range(0, len(inputs), batch_size):
        x, y = inputs[at : at + batch_size], targets[at : at + batch_size]
        total += _loss(model, x, y).item() * len(x)
        progress(at + len(x), len(inputs))
    return total / len(inputs)


@torch.inference_mode()
def sampled_loss(
    model: GPT, data: Tensor, batches: int, batch_size: int, generator: torch.Generator
) -> float:
    """Mean loss, nats per character, over random batches: the original's protocol."""
    losses = torch.zeros((), device=data.device)
    for _ in range(batches):
        x, y = random_batch(data, batch_size, model.config.block_size, generator)
        losses += _loss(model, x, y)
    return (losses / batches).item()

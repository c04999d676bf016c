"""The loss of a model over a text or a split: mean cross-entropy in nats per character."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from microgpt.data import Splits, random_batch, windows
from microgpt.model import GPT, Transformer, finite
from microgpt.pairs import Pairs

# The original estimates a loss from 200 random batches of 64 windows.
SAMPLED_BATCHES, SAMPLED_BATCH_SIZE, SAMPLED_SEED = 200, 64, 1337


def draw_batch(
    data: Tensor | Pairs, batch_size: int, block_size: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Draw windows of a text, or pairs: what a model reads, and the targets (B, T) at the end."""
    if isinstance(data, Pairs):
        return data.random_batch(batch_size, generator)
    return random_batch(data, batch_size, block_size, generator)


def batch_loss(model: nn.Module, *batch: Tensor) -> Tensor:
    """Mean cross-entropy of a batch from draw_batch, nats per character, as a float32 scalar."""
    *inputs, targets = batch
    logits = model(*inputs)  # (B, T, V)
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


@torch.inference_mode()
def full_loss(
    model: GPT,
    data: Tensor,
    batch_size: int = 16,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> float:
    """Mean loss, nats per character, over every non-overlapping window of data (1-D).

    Deterministic; the model must be in eval mode. progress is called with the windows done and
    their total. Raises ModelOverflowError if the loss is not finite.
    """
    inputs, targets = windows(data, model.config.block_size)
    total = 0.0
    for at in range(0, len(inputs), batch_size):
        x, y = inputs[at : at + batch_size], targets[at : at + batch_size]
        total += batch_loss(model, x, y).item() * len(x)
        progress(at + len(x), len(inputs))
    return finite(total / len(inputs))


@torch.inference_mode()
def text_logits(
    model: GPT,
    data: Tensor,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Tensor:
    """Logits (N - 1, V) that predict each character of data (N,) except the first.

    The window moves by half its size, so that after the first window every character has at least
    half a window of context. progress is called with the characters done and their total.
    Raises ValueError for fewer than two characters, ModelOverflowError for logits that are not
    finite.
    """
    inputs, size = data[:-1], model.config.block_size
    if not len(inputs):
        raise ValueError("the text is too short; give at least two characters")
    parts: list[Tensor] = []
    done = 0
    while done < len(inputs):
        start = max(0, done - size // 2)
        window = inputs[start : start + size]
        parts.append(model(window[None])[0, done - start :])
        done = start + len(window)
        progress(done, len(inputs))
    return finite(torch.cat(parts))


def text_loss(
    model: GPT,
    data: Tensor | Sequence[int],
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> float:
    """Mean loss of text_logits, nats per character. Raises ValueError for fewer than two ids."""
    data = torch.as_tensor(data, dtype=torch.long)
    return F.cross_entropy(text_logits(model, data, progress), data[1:]).item()


@torch.inference_mode()
def sampled_loss(
    model: Transformer,
    data: Tensor | Pairs,
    batches: int,
    batch_size: int,
    generator: torch.Generator,
) -> float:
    """Mean loss, nats per character, over random batches, as the original estimates it."""
    losses = torch.zeros((), device=data.device)
    for _ in range(batches):
        batch = draw_batch(data, batch_size, model.config.block_size, generator)
        losses += batch_loss(model, *batch)
    return (losses / batches).item()


def evaluate(
    model: GPT,
    splits: Splits,
    sampled: bool = False,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> dict[str, float | int]:
    """The results of the evaluate command: parameters, validation loss and bits per character.

    The loss is over the whole validation split. sampled also estimates the loss of each split as
    the original does, from 200 random batches of 64 windows.
    """
    loss = full_loss(model, splits.val, progress=progress)
    result: dict[str, float | int] = {
        "parameters": model.parameter_count(),
        "val_loss_full": loss,
        "bits_per_char": loss / math.log(2),
    }
    if sampled:
        generator = torch.Generator().manual_seed(SAMPLED_SEED)
        for name, data in (("val", splits.val), ("train", splits.train)):
            key = f"{name}_loss_sampled"
            loss = sampled_loss(model, data, SAMPLED_BATCHES, SAMPLED_BATCH_SIZE, generator)
            result[key] = finite(loss)
    return {name: round(x, 4) if isinstance(x, float) else x for name, x in result.items()}

"""Loss by context length: the same characters, predicted from longer and longer contexts."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from microgpt.model import GPT, finite

# Limit for the characters in one batch. A checkpoint from outside may have a large window.
_BATCH_CHARACTERS = 1024


def context_lengths(longest: int) -> list[int]:
    """The powers of 2 below longest, then longest itself."""
    return [*(2**i for i in range(longest.bit_length()) if 2**i < longest), longest]


@torch.inference_mode()
def surprisal_by_context(
    model: GPT,
    ids: Sequence[int],
    targets: int,
    lengths: Sequence[int],
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Tensor:
    """Surprisal, nats, of the last `targets` ids, each predicted from the n ids before it.

    Returns (lengths, targets). lengths: the values of n. Every context starts at position 0.
    progress is called with the lengths done and their total. Raises ValueError if a length exceeds
    the window or the text before the first target.
    """
    data = torch.tensor(ids)
    first = len(data) - targets
    if not 0 < min(lengths) <= max(lengths) <= min(first, model.config.block_size):
        raise ValueError("a context must be at least 1 and fit the window and the text")
    rows = []
    for done, n in enumerate(lengths, start=1):
        contexts = data[first - n : -1].unfold(0, n, 1)  # (targets, n)
        parts = contexts.split(max(1, _BATCH_CHARACTERS // n))
        logits = finite(torch.cat([model(part)[:, -1] for part in parts]))  # (targets, V)
        rows.append(-logits.log_softmax(dim=-1).gather(-1, data[first:, None])[:, 0])
        progress(done, len(lengths))
    return torch.stack(rows)

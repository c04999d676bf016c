"""The residual stream of a model over one text."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from microgpt.model import GPT, KVCache, finite


@dataclass(frozen=True)
class ResidualStream:
    """The residual stream over a text of T characters, and what the model computed on the way.

    points: (2 L + 1, T, C). Point 0 is the sum of the embeddings. Points 2 l + 1 and 2 l + 2 are
    the stream after the attention and after the MLP of layer l, from 0, so its input is point 2 l.
    Without residual connections, a point is the output of its attention or MLP alone. logits:
    (T, V), row t predicts the character after position t. keys, values: (L, H, T, head_size).
    """

    points: Tensor
    logits: Tensor
    keys: Tensor
    values: Tensor


@torch.inference_mode()
def residual_stream(model: GPT, ids: Sequence[int]) -> ResidualStream:
    """Run a model in eval mode over a text and keep its residual stream, keys and values.

    What else the model computed at a position can be computed again from them, without another
    forward pass. Raises ValueError unless there are 1 to block_size ids.
    """
    device = model.head.weight.device
    x = model.embed(torch.tensor([ids], device=device))  # (1, T, C)
    points, cache = [x], KVCache(model.config, device=device)
    for block in model.blocks:
        x = block(x, cache=cache, residuals=points)
        points.append(x)
    # A copy, unless the text fills the window: the cache is as long as the window.
    keys, values = (each[:, 0, :, : len(ids)].contiguous() for each in (cache.keys, cache.values))
    return ResidualStream(finite(torch.cat(points)), finite(model.unembed(x)[0]), keys, values)


def layer_norm_statistics(norm: nn.LayerNorm, x: Tensor) -> tuple[float, float]:
    """The mean of x (C,), and the deviation by which LayerNorm divides."""
    precise = x.double()
    variance = precise.var(correction=0).item()
    return precise.mean().item(), (variance + norm.eps) ** 0.5

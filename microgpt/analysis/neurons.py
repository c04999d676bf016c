"""The neurons of the MLPs: their activations, and which characters they promote.

A neuron is one of the N = mlp_ratio * C hidden units of a layer's MLP. Its activation at a position
is computed from the residual stream before the MLP, so it needs no forward pass of its own.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from microgpt.analysis.residuals import layer_norm_statistics, residual_stream
from microgpt.config import GPTConfig
from microgpt.model import GPT, finite

# The longest text on which neurons are scored, and the limit in bytes for the residual stream
# before all MLPs and for the activations of a layer over it.
MAX_POSITIONS, MAX_BYTES = 1024, 16 * 2**20


def max_scored(config: GPTConfig) -> int:
    """The longest text on which the neurons of a model can be scored, in characters."""
    width = max(config.n_layer, config.mlp_ratio) * config.n_embd
    return max(1, min(MAX_POSITIONS, MAX_BYTES // (4 * width)))


@torch.inference_mode()
def mlp_inputs(model: GPT, ids: Sequence[int]) -> Tensor:
    """The residual stream before each MLP over a text of P ids, (L, P, C).

    A text longer than block_size is read in windows that do not overlap. Raises ValueError if there
    are no ids.
    """
    if not ids:
        raise ValueError("there is no token; pass at least one")
    size = model.config.block_size
    windows = (ids[start : start + size] for start in range(0, len(ids), size))
    return torch.cat([residual_stream(model, window).points[1::2] for window in windows], dim=1)


@torch.inference_mode()
def activations(model: GPT, inputs: Tensor, layer: int, neuron: int | None = None) -> Tensor:
    """The outputs of a layer's N neurons, (P, N); those of one neuron, (P,).

    inputs: (P, C), the residual stream before the MLP of this layer: point 2 layer + 1 of
    ResidualStream, or a row of mlp_inputs. layer, neuron: from 0. Raises IndexError if there is no
    such layer or neuron.
    """
    block = model.block(layer)
    x, up = block.ln_mlp(inputs), block.mlp.up
    if neuron is None:
        return finite(block.mlp.activation(up(x)))
    bias = 0.0 if up.bias is None else up.bias[neuron]
    return finite(block.mlp.activation(x @ up.weight[neuron] + bias))


def reaches_logits(config: GPTConfig, layer: int) -> bool:
    """Whether the output of a layer's MLP is a term of what the head reads.

    Without residual connections this holds for the last layer only.
    """
    return config.residual or layer == config.n_layer - 1


@torch.inference_mode()
def direct_effect(
    model: GPT, last: Tensor, layer: int, neuron: int, activation: float = 1.0
) -> Tensor:
    """What an activation of a neuron adds to each logit, (V,), on the direct path.

    last: (C,), the last point of the residual stream at the position. The neuron adds its column of
    the down-projection to the stream. The final LayerNorm is frozen: it subtracts the mean of what
    was added and divides by the standard deviation that it computed at the position (Elhage et al.,
    2021). The mean over the vocabulary is subtracted, because a constant in all logits changes no
    probability. layer, neuron: from 0. Raises ValueError unless reaches_logits.
    """
    if not reaches_logits(model.config, layer):
        raise ValueError(
            f"without residual connections, layer {layer + 1} has no direct path to the logits; "
            "choose the last layer"
        )
    added = activation * model.block(layer).mlp.down.weight[:, neuron]  # (C,)
    if isinstance(ln := model.ln_final, nn.LayerNorm):
        _, deviation = layer_norm_statistics(ln, last)
        added = ln.weight * (added - added.mean()) / deviation
    logits = model.head.weight @ added
    return finite(logits - logits.mean())


def strongest(values: Sequence[float], count: int, apart: int) -> list[int]:
    """The positions with the largest values above 0, at most `count`, the largest first.

    Any two are at least `apart` positions apart.
    """
    found: list[int] = []
    for at in sorted(range(len(values)), key=lambda at: -values[at]):
        if len(found) == count or values[at] <= 0:
            break
        if all(abs(at - other) >= apart for other in found):
            found.append(at)
    return found

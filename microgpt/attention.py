"""What a model's heads look at, for one text."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from microgpt.config import GPTConfig
from microgpt.model import GPT

# Of one text's maps. A checkpoint may be anyone's, with thousands of heads or positions.
MOST_BYTES = 16 * 2**20


@dataclass(frozen=True)
class AttentionMaps:
    """The attention of every head over one text.

    weights: (L, H, T, T), row t is what position t attends to; it sums to 1 and is 0 after t.
    logits: (T, V), row t is the prediction of the character after position t.
    """

    weights: Tensor
    logits: Tensor


def most_positions(config: GPTConfig) -> int:
    """How many characters' maps fit into MOST_BYTES of float32, at most the window."""
    return min(config.block_size, math.isqrt(MOST_BYTES // (4 * config.n_layer * config.n_head)))


@torch.inference_mode()
def attention_maps(model: GPT, ids: list[int]) -> AttentionMaps:
    """Run a model in eval mode over 1 to block_size ids and keep what its heads attended to.

    Raises ValueError when there is no id, or more than the window holds.
    """
    if not ids:
        raise ValueError("there is no character to attend to")
    logits, weights = model.forward_with_attention(torch.tensor([ids]))
    return AttentionMaps(weights[0], logits[0])

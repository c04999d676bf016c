"""Attention maps of a model over one text, and measures computed from them."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

from microgpt.config import GPTConfig
from microgpt.model import GPT, causal_mask, finite

# Limit for all maps of one text. A checkpoint from outside may have thousands of heads.
MAX_BYTES = 16 * 2**20
# The longest text with maps. A page cannot draw a larger map in reasonable time.
MAX_POSITIONS = 1024


@dataclass(frozen=True)
class AttentionMaps:
    """The attention of every head over one text.

    weights: (L, H, T, T), row t is the attention of position t; it sums to 1 and is 0 after t.
    logits: (T, V), row t predicts the character after position t.
    """

    weights: Tensor
    logits: Tensor


@dataclass(frozen=True)
class PackedMaps:
    """Attention maps without their masked part, which is 0, so that they take half the memory.

    weights: (L, H, T (T + 1) / 2), the rows of each map up to the diagonal. logits: (T, V).
    """

    weights: Tensor
    logits: Tensor

    @classmethod
    def of(cls, maps: AttentionMaps) -> Self:
        return cls(maps.weights.flatten(2)[..., _unmasked(len(maps.logits))], maps.logits)

    def unpacked(self) -> AttentionMaps:
        """The same maps, bit for bit."""
        size = len(self.logits)
        flat = self.weights.new_zeros(*self.weights.shape[:2], size * size)
        flat.index_copy_(2, _unmasked(size), self.weights)
        return AttentionMaps(flat.unflatten(2, (size, size)), self.logits)


def _unmasked(size: int) -> Tensor:
    """The positions of the unmasked cells in a flattened map (T, T)."""
    rows, columns = torch.tril_indices(size, size)
    return rows * size + columns


def max_positions(config: GPTConfig) -> int:
    """The longest text with maps: limited by the window, MAX_POSITIONS and MAX_BYTES in float32."""
    fitting = math.isqrt(MAX_BYTES // (4 * config.n_layer * config.n_head))
    return min(config.block_size, MAX_POSITIONS, fitting)


@torch.inference_mode()
def attention_maps(model: GPT, ids: list[int]) -> AttentionMaps:
    """Run a model in eval mode over a text and keep the attention of its heads.

    Raises ValueError unless there are 1 to block_size ids.
    """
    logits, weights = model.forward_with_attention(torch.tensor([ids]))
    return AttentionMaps(finite(weights[0]), finite(logits[0]))


@dataclass(frozen=True)
class HeadStages:
    """The intermediate results of one head over one text; row t belongs to the query at t.

    raw: (T, T) q·k. scaled: raw times the scale of the scores. weights: (T, T), softmax of scaled
    with the causal mask. values: (T, C), row s is v_s after the head's slice of the output
    projection.
    """

    raw: Tensor
    scaled: Tensor
    weights: Tensor
    values: Tensor

    @property
    def contributions(self) -> Tensor:
        """(T, T) contribution of each key to a query: the norm of weights[t, s] * values[s].

        Vectors may cancel, so the sum of a row is at least the norm of the output (Kobayashi et
        al., 2020).
        """
        return self.weights * self.values.norm(dim=-1)

    @property
    def output(self) -> Tensor:
        """(T, C) what the head adds to its layer's output, without the bias of the projection."""
        return self.weights @ self.values


@torch.inference_mode()
def head_stages(model: GPT, ids: Sequence[int], layer: int, head: int) -> HeadStages:
    """Run a model in eval mode up to a layer; return the intermediate results of one head of it.

    layer, head: from 0. Raises ValueError unless there are 1 to block_size ids, IndexError if
    there is no such head.
    """
    x = model.embed(torch.tensor([ids], device=model.head.weight.device))  # (1, T, C)
    for earlier in model.blocks[:layer]:
        x = earlier(x)
    block = model.block(layer)
    attention = block.attention
    # (T, head_size) each
    q, k, v = (part[0, head] for part in attention.project_qkv(block.ln_attention(x)))
    raw = q @ k.T
    scaled = raw * attention.scale
    mask = causal_mask(len(ids), len(ids), x.device)
    weights = scaled.masked_fill(~mask, float("-inf")).softmax(dim=-1)
    proj = attention.proj.weight.unflatten(1, (attention.n_head, -1))[:, head]  # (C, head_size)
    return HeadStages(finite(raw), scaled, weights, finite(v @ proj.T))


def rollout(weights: Tensor, residual: bool = True) -> Tensor:
    """Attention rollout, (L, H, T, T) -> (L, T, T) (Abnar and Zuidema, 2020).

    Row t of a layer holds the share of each input position in the layer's output at t; it sums to
    1. The heads have equal weight. The residual connection is counted as half of a layer's output;
    pass residual=False for a model without residual connections.
    """
    mixed = weights.mean(dim=1)  # (L, T, T)
    if residual:
        mixed = (mixed + torch.eye(mixed.size(-1), device=mixed.device)) / 2
    rolled = [mixed[0]]
    for layer in mixed[1:]:
        rolled.append(layer @ rolled[-1])
    return torch.stack(rolled)


def combined(
    weights: Tensor, heads: Sequence[tuple[int, int]], how: Literal["mean", "maximum"]
) -> Tensor:
    """Combine the maps of some heads into one map, (L, H, T, T) -> (T, T).

    heads: pairs of layer and head, from 0. The rows of the mean sum to 1, those of the maximum to
    at least 1. Other tensors (L, H, …) are combined in the same way. Raises ValueError if heads is
    empty.
    """
    if not heads:
        raise ValueError("there is no head to combine; pass at least one")
    chosen = torch.stack([weights[layer, head] for layer, head in heads])  # (heads, T, T)
    return chosen.mean(dim=0) if how == "mean" else chosen.amax(dim=0)


def in_bytes(weights: Tensor) -> Tensor:
    """Attention weights of any shape as uint8: 255 times each weight, rounded."""
    return (255 * weights).round().to(torch.uint8)


def from_bytes(levels: np.ndarray) -> np.ndarray:
    """Attention weights, 0 to 1, from what in_bytes returned; each is at most 1/510 off."""
    return levels / 255


def sharpest_query(weights: np.ndarray, keys: np.ndarray | bool = True) -> int:
    """The query, from 0, with the largest weight on one earlier character, in one map (T, T).

    It is in the second half of the text, because early queries have few characters to attend to.
    keys: bool, broadcast to (T, T), which keys count; all of them if none of these has any weight.
    """
    start = len(weights) // 2
    earlier = np.tril(weights, -1)[start:]
    counted = earlier * np.broadcast_to(keys, weights.shape)[start:]
    return start + int((counted if counted.any() else earlier).max(axis=1).argmax())


def with_means(weights: Tensor) -> Tensor:
    """All maps and their means, (L, H, T, T) -> (L + 1, H + 1, T, T).

    The last column is the mean of each layer's heads. The last row is 0 except for its last
    map, the mean of all heads.
    """
    means = weights.mean(dim=1, keepdim=True)  # (L, 1, T, T)
    layers = torch.cat([weights, means], dim=1)  # (L, H + 1, T, T)
    last = torch.zeros_like(layers[:1])
    last[0, -1] = means.mean(dim=0)
    return torch.cat([layers, last])


def maps_npz(weights: Tensor, text: str, weights_sha256: str) -> bytes:
    """All maps (L, H, T, T) of a text as one .npz file, with the text and the checkpoint's hash.

    Its arrays: weights, the maps in float32; layers, heads, positions (all from 1) and characters,
    the labels of the axes; weights_sha256, the hash of the checkpoint's weights. The same maps give
    the same bytes.
    """
    layers, heads, positions, _ = weights.shape
    file = io.BytesIO()
    np.savez_compressed(
        file,
        weights=weights.float().numpy(),
        layers=np.arange(1, layers + 1),
        heads=np.arange(1, heads + 1),
        positions=np.arange(1, positions + 1),
        characters=np.array(list(text)),
        weights_sha256=np.array(weights_sha256),
    )
    return file.getvalue()

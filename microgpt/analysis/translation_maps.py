"""The attention maps of a translation as a page shows, saves and compares them."""

import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from microgpt.analysis.attention import in_bytes
from microgpt.analysis.cross_attention import Translation
from microgpt.config import EncoderDecoderConfig
from microgpt.pairs import END

Kind = Literal["encoder", "decoder", "cross"]
KINDS: tuple[Kind, ...] = ("encoder", "decoder", "cross")
# Limit for the maps of one translation in bytes. A checkpoint from outside may have thousands of
# heads.
MAX_BYTES = 2 * 2**20
# The longest source and target with maps; a page cannot show more characters side by side.
MAX_SOURCE = MAX_TARGET = 80
# A head of self-attention is named after a place if its share of attention there is at least this
# much above that of uniform attention.
ABOVE_UNIFORM = 0.2


@dataclass(frozen=True)
class TranslationMaps:
    """A translation of S characters in T steps, with its maps in bytes.

    output: what the model writes, without the end. target: what the decoder reads; it has T - 1
    characters if the last step writes the end, else T. probs: (T,), the probability of each
    character of the target, and of the end. maps: for each of KINDS the maps of the N - 1 heads,
    layer by layer, and their mean: (N, S, S), (N, T, T) and (N, T, S), 0 to 255.
    """

    output: str
    target: str
    probs: np.ndarray
    maps: Mapping[Kind, np.ndarray]


def translation_maps(found: Translation) -> TranslationMaps:
    """Convert a translation, whose target is its own output."""
    probs = found.logits.double().softmax(dim=-1).amax(dim=-1).numpy()
    weights = (found.encoder, found.decoder, found.cross)
    packed = (in_bytes(_with_mean(each)).numpy() for each in weights)
    maps = dict(zip(KINDS, packed, strict=True))
    return TranslationMaps(found.output, found.output, probs, maps)


def _with_mean(weights: Tensor) -> Tensor:
    """All maps (L, H, …), layer by layer, and their mean: (L * H + 1, …)."""
    flat = weights.flatten(0, 1)
    return torch.cat([flat, flat.mean(dim=0, keepdim=True)])


def longest_source(config: EncoderDecoderConfig) -> int:
    """The longest source whose maps fit: limited by the model, MAX_SOURCE and MAX_BYTES."""
    maps = config.n_layer * config.n_head + 1
    target = min(config.block_size, MAX_TARGET)
    # The largest S with maps * (S² + S target + target²) <= MAX_BYTES.
    space = MAX_BYTES // maps - target * target
    fitting = (math.isqrt(max(0, target * target + 4 * space)) - target) // 2
    return max(1, min(config.source_size, MAX_SOURCE, fitting))


def attended_offset(
    weights: np.ndarray, offsets: Iterable[int], causal: bool
) -> tuple[int, float] | None:
    """The offset back from the query that a head attends to most, and its mean weight there.

    weights: a map (T, T) of self-attention in bytes. offsets: the distances to compare, with 0;
    negative after the query. None if the weight is less than ABOVE_UNIFORM above that of uniform
    attention.
    """
    seen = np.tri(len(weights)) if causal else np.ones(weights.shape)
    uniform = seen / seen.sum(axis=1, keepdims=True)
    near = [back for back in offsets if abs(back) < len(weights)]
    means = {back: float(np.diagonal(weights, -back).mean()) / 255 for back in near}
    most = max(near, key=means.__getitem__)
    above = means[most] - np.diagonal(uniform, -most).mean()
    return (most, means[most]) if above >= ABOVE_UNIFORM else None


def changed_characters(output: str, before: str) -> list[int]:
    """The positions, from 0, at which an output differs from another one.

    The end counts as a character.
    """
    pairs = enumerate(zip_longest(output + END, before + END))
    return [at for at, (now, then) in pairs if now != then and now is not None]


def translation_npz(found: Translation, weights_sha256: str) -> bytes:
    """All maps of a translation as one .npz file, with both texts and the checkpoint's hash.

    Its arrays: encoder (L, H, S, S), decoder (L, H, T, T) and cross (L, H, T, S), float32; input
    and output, the characters; weights_sha256, the hash of the checkpoint's weights.
    """
    file = io.BytesIO()
    np.savez_compressed(
        file,
        encoder=found.encoder.float().numpy(),
        decoder=found.decoder.float().numpy(),
        cross=found.cross.float().numpy(),
        input=np.array(list(found.source)),
        output=np.array(list(found.output), dtype="<U1"),
        weights_sha256=np.array(weights_sha256),
    )
    return file.getvalue()

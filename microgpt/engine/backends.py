"""Backends: ways to compute a decoding pass, in the same precision.

A pass appends ids to the KV caches of one or more texts and computes the logits after them. What it
computes for a text does not depend on the other texts of the pass.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from microgpt.config import GPTConfig
from microgpt.model import GPT, KVCache

# The precision of every backend. A backend with a different precision, such as int8, would generate
# a different text after a few hundred characters, so the user would have to choose it.
PRECISION = "float32"
ROUNDS = 8
# The most memory for the KV caches of the texts of one model that are written together.
CACHE_BYTES = 192 * 2**20


class Part(NamedTuple):
    """One text's part of a pass: at least one id to append to its cache of batch size 1."""

    cache: KVCache
    ids: Sequence[int]


# Appends the ids of N parts to their caches, and returns the logits (N, V) after the last id of
# each. Each cache has room for the ids, and is in one part only.
Compute = Callable[[Sequence[Part]], Tensor]


class Backend(Protocol):
    """Computes passes; threads may share it."""

    @property
    def name(self) -> str:
        """The name for display, such as "NumPy"."""

    def __call__(self, parts: Sequence[Part]) -> Tensor:
        """Compute a pass; see Compute."""


class TorchBackend:
    """The model in PyTorch, the reference for the other backends.

    head_mask: (L, H), as for the model.
    """

    name = "PyTorch"

    def __init__(self, model: GPT, head_mask: Tensor | None = None):
        self._model, self._head_mask = model, head_mask

    @torch.inference_mode()
    def __call__(self, parts: Sequence[Part]) -> Tensor:
        return torch.stack(
            [
                self._model(torch.tensor([ids]), cache=cache, head_mask=self._head_mask)[0, -1]
                for cache, ids in parts
            ]
        )


def slots(config: GPTConfig) -> int:
    """The most texts with a KV cache at the same time: those that fit in CACHE_BYTES, or one."""
    return max(1, CACHE_BYTES // KVCache.size_in_bytes(config))


def seconds(backend: Compute, config: GPTConfig, texts: int = 1) -> float:
    """Seconds of a pass over one id of each of some texts, in the middle of the window.

    It is the minimum of ROUNDS passes. There are no more texts than slots.
    """
    caches = [KVCache(config) for _ in range(min(texts, slots(config)))]
    best = math.inf
    for _ in range(ROUNDS):
        for cache in caches:
            cache.length = config.block_size // 2
        started = time.perf_counter()
        backend([Part(cache, [0]) for cache in caches])
        best = min(best, time.perf_counter() - started)
    return best

"""Decoding one character at a time, fast, apart from the model that people read.

An engine knows several ways, its paths, to compute the same step in the same numerics, and takes
the one that measures fastest where it runs: the readable model itself, NumPy, or C, compiled in the
background where there is a compiler. Whole prompts are read by the readable model.

    engine = Engine(checkpoint.model)
    decoder = engine.decoder()
    logits = decoder.read(ids)
    logits = decoder.step(token)
"""

import math
import threading
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from microgpt.config import GPTConfig
from microgpt.engine.compiled import compiled_step
from microgpt.engine.numpy_step import NumpyStep
from microgpt.model import GPT, KVCache

# What the engine computes in. A step that rounds otherwise, as in int8, would write another text
# after some hundred characters, so it would be a setting and no path.
NUMERICS = "float32"
ROUNDS = 8

# The logits (V,) of a token at the position after those in a cache of batch size 1, which grows.
Step = Callable[[KVCache, int], Tensor]


class ReadableStep:
    """The step of the readable model, which the others are held to."""

    name = "PyTorch"

    def __init__(self, model: GPT, head_mask: Tensor | None = None):
        self._model, self._head_mask = model, head_mask

    @torch.inference_mode()
    def __call__(self, cache: KVCache, token: int) -> Tensor:
        idx = torch.tensor([[token]])
        return self._model(idx, cache=cache, head_mask=self._head_mask)[0, -1]


class Decoder:
    """One text as it is decoded, with its keys and values; the weights are everybody's.

    Without a step of an engine's it takes the readable model's, which can do without some heads:
    head_mask (L, H), as the model takes it. Each thread needs its own.
    """

    def __init__(self, model: GPT, step: Step | None = None, head_mask: Tensor | None = None):
        self.config = model.config
        self._model, self._head_mask = model, head_mask
        self._step = step or ReadableStep(model, head_mask)
        self._cache = KVCache(model.config)

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> Tensor:
        """Start anew with these 1 to T ids, from position 0; the logits (V,) after the last.

        Raises ValueError when they do not fit the window.
        """
        self._cache.length = 0
        idx = torch.tensor([ids])
        return self._model(idx, cache=self._cache, head_mask=self._head_mask)[0, -1]

    def step(self, token: int) -> Tensor:
        """The logits (V,) after one more token. Raises ValueError when the window is full."""
        if self._cache.length == self.config.block_size:
            raise ValueError(f"the window of {self.config.block_size} is full; read its last part")
        return self._step(self._cache, token)


class Engine:
    """A model's weights prepared for decoding, shared by every session and thread.

    The model is on the CPU, in float32 and in eval mode. A better path that turns up in the
    background is taken by all decoders at once, in the middle of a text too: numerics are the same.
    """

    numerics = NUMERICS

    def __init__(self, model: GPT):
        self._model = model
        self._step, self._seconds = ReadableStep(model), math.inf
        self._offer(self._step)
        self._background = threading.Thread(target=self._compile)
        if model.config.residual and model.config.norm == "all":  # else the readable step stays
            self._offer(NumpyStep(model))
            self._background.start()

    @property
    def path(self) -> str:
        """Which path runs at this snapshot, for people: "NumPy, float32"."""
        return f"{self._step.name}, {NUMERICS}"

    def decoder(self) -> Decoder:
        """A new text's decoder."""
        return Decoder(self._model, self.step)

    def step(self, cache: KVCache, token: int) -> Tensor:
        """The logits (V,) of a token at the position after those in a cache, which grows."""
        return self._step(cache, token)

    def wait(self) -> None:
        """Wait until every path was tried, some seconds at most: nobody but a test needs to."""
        if self._background.ident is not None:
            self._background.join()

    def _compile(self) -> None:
        step = compiled_step(self._model, lambda step: seconds(step, self._model.config))
        if step is not None:
            self._offer(step)

    def _offer(self, step: Step) -> None:
        measured = seconds(step, self._model.config)
        if measured < self._seconds:
            self._step, self._seconds = step, measured


def seconds(step: Step, config: GPTConfig) -> float:
    """What a step takes in the middle of the window: the least of some, for others may disturb."""
    cache = KVCache(config)
    least = math.inf
    for _ in range(ROUNDS):
        cache.length = config.block_size // 2
        started = time.perf_counter()
        step(cache, 0)
        least = min(least, time.perf_counter() - started)
    return least

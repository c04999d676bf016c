"""Fast decoding, one character at a time.

A decoding step computes the logits after one more token. An engine has three backends that compute
it in the same precision: the model in PyTorch, NumPy, and C. The C code is compiled in the
background if there is a compiler. The engine uses the backend that is fastest on this machine.
Prefill, the processing of a prompt, is always done by the model in PyTorch.

    engine = Engine(checkpoint.model)
    decoder = engine.decoder()
    logits = decoder.prefill(ids)
    logits = decoder.step(token)
"""

import math
import threading
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from microgpt.config import GPTConfig
from microgpt.engine.compiled import CompiledStep, compiled_step
from microgpt.engine.numpy_step import NumpyStep
from microgpt.model import GPT, KVCache

# The precision of every backend. A backend with a different precision, such as int8, would generate
# a different text after a few hundred characters, so the user would have to choose it.
PRECISION = "float32"
ROUNDS = 8

# Computes the logits (V,) after one more token, and adds its keys and values to a cache of batch
# size 1.
DecodingStep = Callable[[KVCache, int], Tensor]


class TorchStep:
    """The decoding step of the model in PyTorch, the reference for the other backends."""

    name = "PyTorch"

    def __init__(self, model: GPT, head_mask: Tensor | None = None):
        self._model, self._head_mask = model, head_mask

    @torch.inference_mode()
    def __call__(self, cache: KVCache, token: int) -> Tensor:
        idx = torch.tensor([[token]])
        return self._model(idx, cache=cache, head_mask=self._head_mask)[0, -1]


class Decoder:
    """Decodes one text: it has a KV cache of its own and shares the model's weights.

    step: a TorchStep by default. head_mask: (L, H), as for the model; do not combine it with
    another step, which would ignore it. A decoder must not be shared by threads.
    """

    def __init__(
        self, model: GPT, step: DecodingStep | None = None, head_mask: Tensor | None = None
    ):
        self.config = model.config
        self._model, self._head_mask = model, head_mask
        self._step = step or TorchStep(model, head_mask)
        self._cache = KVCache(model.config)

    @torch.inference_mode()
    def prefill(self, ids: Sequence[int]) -> Tensor:
        """Clear the cache and process these ids from position 0; return the logits (V,) after them.

        Raises ValueError when there is no id, or when the ids do not fit the window.
        """
        self._cache.length = 0
        idx = torch.tensor([ids])
        return self._model(idx, cache=self._cache, head_mask=self._head_mask)[0, -1]

    def step(self, token: int) -> Tensor:
        """Return the logits (V,) after one more token. Raises ValueError if the window is full."""
        if self._cache.length == self.config.block_size:
            raise ValueError(f"the window of {self.config.block_size} is full; prefill fewer ids")
        return self._step(self._cache, token)


class Engine:
    """A model prepared for decoding, shared by every session and thread.

    The model must be on the CPU, in float32 and in eval mode. When a faster backend is ready, all
    decoders switch to it at once, even in the middle of a text.
    """

    def __init__(self, model: GPT):
        self._model = model
        self._step: TorchStep | NumpyStep | CompiledStep = TorchStep(model)
        self._seconds = math.inf
        self._use_if_faster(self._step)
        self._background = threading.Thread(target=self._compile)
        if model.config.residual and model.config.norm == "all":  # NumPy and C need both
            self._use_if_faster(NumpyStep(model))
            self._background.start()

    @property
    def backend(self) -> str:
        """The current backend and its precision for display, such as "NumPy, float32"."""
        return f"{self._step.name}, {PRECISION}"

    def decoder(self) -> Decoder:
        """Return a decoder for a new text."""
        return Decoder(self._model, self.step)

    def step(self, cache: KVCache, token: int) -> Tensor:
        """Compute one decoding step on the current backend; see DecodingStep."""
        return self._step(cache, token)

    def wait(self) -> None:
        """Wait until every backend has been timed, which takes a few seconds; for tests."""
        if self._background.ident is not None:
            self._background.join()

    def _compile(self) -> None:
        step = compiled_step(self._model, lambda step: seconds(step, self._model.config))
        if step is not None:
            self._use_if_faster(step)

    def _use_if_faster(self, step: TorchStep | NumpyStep | CompiledStep) -> None:
        measured = seconds(step, self._model.config)
        if measured < self._seconds:
            self._step, self._seconds = step, measured


def seconds(step: DecodingStep, config: GPTConfig) -> float:
    """Seconds of one decoding step in the middle of the window, the minimum of ROUNDS runs."""
    cache = KVCache(config)
    least = math.inf
    for _ in range(ROUNDS):
        cache.length = config.block_size // 2
        started = time.perf_counter()
        step(cache, 0)
        least = min(least, time.perf_counter() - started)
    return least

"""Fast decoding for many texts at once.

A pass appends ids to the KV caches of texts and computes the logits after them. An engine has
three backends that compute it in the same precision: the model in PyTorch, NumPy, and C. The C code
is compiled in the background if there is a compiler. The engine uses the backend that is fastest on
this machine.

    engine = Engine(checkpoint.model)
    for token, logits in engine.write(ids, 100, SamplingConfig()):
        ...

A scheduler shares the passes among all texts that are written at the same time. A decoder computes
one text by itself.
"""

import threading
from collections.abc import Hashable, Sequence

from torch import Tensor

from microgpt.config import GPTConfig
from microgpt.engine.backends import PRECISION, Backend, Part, TorchBackend, seconds
from microgpt.engine.compiled import compiled_backend
from microgpt.engine.decoder import Decoder
from microgpt.engine.numpy_backend import NumpyBackend
from microgpt.engine.scheduler import Drawn, Scheduler, Stream
from microgpt.engine.text import KEPT, Text
from microgpt.model import GPT
from microgpt.sampling import SamplingConfig

__all__ = [
    "KEPT",
    "PRECISION",
    "Backend",
    "Decoder",
    "Drawn",
    "Engine",
    "Part",
    "Scheduler",
    "Stream",
    "Text",
    "TorchBackend",
    "seconds",
]


class _Fastest:
    """The fastest of the backends that were offered for a model.

    A scheduler refers to this object, not to its engine. So there is no reference cycle, and an
    unused engine is freed at once. The app needs that, because it excludes objects from garbage
    collection.
    """

    def __init__(self, backend: Backend, config: GPTConfig):
        self._config, self.backend = config, backend
        self._seconds = seconds(backend, config)

    def offer(self, backend: Backend) -> None:
        """Time a backend and use it if it is faster."""
        measured = seconds(backend, self._config)
        if measured < self._seconds:
            self.backend, self._seconds = backend, measured

    def __call__(self, parts: Sequence[Part]) -> Tensor:
        return self.backend(parts)


class Engine:
    """A model prepared for decoding, shared by every session and thread.

    The model must be on the CPU, in float32 and in eval mode. When a faster backend is ready, all
    texts use it from their next token on.
    """

    def __init__(self, model: GPT):
        self._model = model
        self._fastest = _Fastest(TorchBackend(model), model.config)
        self._scheduler = Scheduler(self._fastest, model.config)
        self._background: threading.Thread | None = None
        if model.config.residual and model.config.norm == "all":  # NumPy and C need both
            self._fastest.offer(NumpyBackend(model))
            self._background = threading.Thread(target=_compile, args=(model, self._fastest))
            self._background.start()

    @property
    def backend(self) -> str:
        """The current backend and its precision for display, such as "NumPy, float32"."""
        return f"{self._fastest.backend.name}, {PRECISION}"

    def decoder(self) -> Decoder:
        """Return a decoder, which writes one text by itself."""
        return Decoder(self._model, self._fastest)

    def write(
        self,
        ids: Sequence[int],
        length: int,
        config: SamplingConfig,
        owner: Hashable = None,
        drawn: int = 0,
    ) -> Stream:
        """Continue a text by `length` tokens, together with all other texts; see Scheduler."""
        return self._scheduler.write(ids, length, config, owner, drawn)

    @property
    def texts(self) -> int:
        """The number of texts that are being written or wait for a slot."""
        return self._scheduler.texts

    def wait(self) -> None:
        """Wait until every backend has been timed, which takes a few seconds; for tests."""
        if self._background is not None:
            self._background.join()


def _compile(model: GPT, fastest: _Fastest) -> None:
    backend = compiled_backend(model, lambda backend, texts: seconds(backend, model.config, texts))
    if backend is not None:
        fastest.offer(backend)

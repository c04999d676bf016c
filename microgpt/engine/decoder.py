"""Decoding one text, one id at a time."""

from collections.abc import Sequence

from torch import Tensor

from microgpt.engine.backends import Compute, Part, TorchBackend
from microgpt.model import GPT, KVCache

# Prefill processes a prompt in chunks of this many ids. The chunks of a prompt are always the same,
# so its logits do not depend on what else is computed at the same time.
CHUNK = 32


class Decoder:
    """Decodes one text: it has a KV cache of its own and shares the model's weights.

    compute: a TorchBackend by default. head_mask: (L, H), as for the model; do not combine it with
    another backend, which would ignore it. A decoder must not be shared by threads.
    """

    def __init__(self, model: GPT, compute: Compute | None = None, head_mask: Tensor | None = None):
        self.config = model.config
        self._compute = compute or TorchBackend(model, head_mask)
        self._cache = KVCache(model.config)

    def prefill(self, ids: Sequence[int]) -> Tensor:
        """Clear the cache and process these ids from position 0; return the logits (V,) after them.

        Raises ValueError when there is no id, or when the ids do not fit the window.
        """
        if not 0 < len(ids) <= self.config.block_size:
            raise ValueError(
                f"{len(ids)} ids do not fit the window of {self.config.block_size}; "
                f"pass 1 to {self.config.block_size}"
            )
        self._cache.length = 0
        for start in range(0, len(ids), CHUNK):
            logits = self._compute([Part(self._cache, ids[start : start + CHUNK])])
        return logits[0]

    def step(self, token: int) -> Tensor:
        """Return the logits (V,) after one more token. Raises ValueError if the window is full."""
        if self._cache.length == self.config.block_size:
            raise ValueError(f"the window of {self.config.block_size} is full; prefill fewer ids")
        return self._compute([Part(self._cache, [token])])[0]

"""A text while it is generated: its ids, its position in the window and its random generator."""

from collections.abc import Sequence

from microgpt.sampling import SamplingConfig, Uniforms

# Learned position embeddings do not allow a sliding cache. When the window is full, the model reads
# the last part of it again from position 0. KEPT is the size of this part, as a fraction of the
# window. tests/benchmarks/sliding.py measures what it costs: 0.008 nats per character with the
# bundled checkpoint. Another fraction would change the texts of existing links.
KEPT = 1 / 8


class Text:
    """The ids of a text, and which of them its KV cache gets next.

    When the window is full, the last part of it (the fraction KEPT) is read again from position 0.
    With config.exact, the last `window` ids are read again for every id instead.

    drawn: how many of the ids, at the end, an earlier text drew with the same config. This text
    draws what the earlier one would have drawn next.
    """

    def __init__(self, ids: Sequence[int], config: SamplingConfig, window: int, drawn: int = 0):
        start = len(ids) - drawn
        self.ids = list(ids[:start])
        self.config = config
        self.uniforms = Uniforms(config.seed)
        self._window = window
        self._kept = window if config.exact else max(1, int(KEPT * window))
        self._cached = 0  # the number of ids in the cache
        self._cleared = False  # whether this text has cleared the cache
        for token in ids[start:]:  # as they were drawn
            self._advance()
            self.uniforms.draw()
            self.ids.append(token)

    @property
    def fills_window(self) -> bool:
        """Whether the cache is full, so that the next input clears it."""
        return self._cached == self._window

    def next_input(self) -> tuple[bool, list[int]]:
        """Whether to clear the cache, and the ids to append to it before the next draw."""
        clear = self._advance() or not self._cleared
        self._cleared = True
        return clear, self.ids[-self._cached if clear else -1 :]

    def _advance(self) -> bool:
        """Count what the cache holds at the next draw; return whether it is cleared before."""
        if self._cached and not self.fills_window:
            self._cached += 1
            return False
        self._cached = min(len(self.ids), self._kept if self._cached else self._window)
        return True

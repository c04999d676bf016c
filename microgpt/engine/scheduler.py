"""Writing many texts at once: one thread computes passes over all of them.

A new text joins at the next pass, and one that is finished or closed leaves. Weights are read once
per pass for all texts (continuous batching: Yu et al., 2022, Orca). Prompts are read in chunks
between the steps of other texts (chunked prefill: Agrawal et al., 2023, Sarathi). A text is the
same whether it is written alone or with others.
"""

import threading
from collections import Counter, deque
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from microgpt.config import GPTConfig
from microgpt.engine.backends import Compute, Part, slots
from microgpt.engine.decoder import CHUNK
from microgpt.engine.text import Text
from microgpt.errors import MicroGPTError
from microgpt.model import KVCache, ModelOverflowError
from microgpt.sampling import SamplingConfig, sample

# The most ids in a pass that belong to prefill.
PREFILL_IDS = 2 * CHUNK
# A text pauses while its consumer has not taken this many tokens.
MAX_READY = 512
# How often iteration over a stream takes the tokens that are ready.
TAKE_SECONDS = 0.02


class Drawn(NamedTuple):
    """A token and the logits (V,) that it was drawn from."""

    token: int
    logits: Tensor


class Stream:
    """The tokens of a text that a scheduler writes, for one consumer: iterate, or call take."""

    def __init__(self, scheduler: "Scheduler", text: Text, length: int, owner: Hashable):
        # Not itself: only the garbage collector would free it.
        self.text, self.owner = text, object() if owner is None else owner
        self.cache: KVCache | None = None
        self.input: list[int] = []  # the ids to append to the cache before the next draw
        self.remaining = length
        self.ready: deque[Drawn] = deque()
        self.ended = threading.Event()
        self.error: Exception | None = None
        self._scheduler = scheduler

    def take(self, seconds: float) -> list[Drawn] | None:
        """Wait `seconds`, or until the text ends; return the new tokens, None after the last one.

        Raises the error of the pass if one failed.
        """
        ended = self.ended.wait(seconds)
        taken = [self.ready.popleft() for _ in range(len(self.ready))]
        if len(taken) >= MAX_READY:
            self._scheduler.wake()
        if taken or not ended:
            return taken
        if self.error is not None:
            raise self.error
        return None

    def __iter__(self) -> Iterator[Drawn]:
        try:
            while (taken := self.take(TAKE_SECONDS)) is not None:
                yield from taken
        finally:
            self.close()

    def close(self) -> None:
        """End the text. It may be called at any time, and more than once."""
        self.ended.set()
        self._scheduler.wake()


class Scheduler:
    """Writes texts with a backend, in a thread that runs while there are texts."""

    def __init__(self, compute: Compute, config: GPTConfig):
        self._compute, self._config = compute, config
        self._slots = slots(config)  # a text without a cache waits for one
        self._changed = threading.Condition()
        self._waiting: list[Stream] = []
        self._active: list[Stream] = []
        self._running = False

    @property
    def texts(self) -> int:
        """The number of texts that are being written or wait."""
        return len(self._active) + len(self._waiting)

    def write(
        self,
        ids: Sequence[int],
        length: int,
        config: SamplingConfig,
        owner: Hashable = None,
        drawn: int = 0,
    ) -> Stream:
        """Continue a text by `length` tokens, as microgpt.generate.generate does.

        owner: who requested the text. If there are several owners, each has at most one text in a
        pass. drawn: as for generate. Raises MicroGPTError if the system allows no more threads.
        """
        stream = Stream(self, Text(ids, config, self._config.block_size, drawn), length, owner)
        if length < 1:
            stream.close()
            return stream
        with self._changed:
            if not self._running:
                try:
                    threading.Thread(target=self._run, name="scheduler", daemon=True).start()
                except RuntimeError as error:  # the system allows no more threads
                    raise MicroGPTError("the computer is busy; try again in a minute") from error
                self._running = True
            self._waiting.append(stream)
            self._changed.notify()
        return stream

    def wake(self) -> None:
        """Look at the streams again: one was closed, or its tokens were taken."""
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while self._admit():
            try:
                self._pass()
            except Exception as error:
                for stream in self._active:
                    stream.error = error
                    stream.ended.set()

    def _admit(self) -> bool:
        """Remove the texts that have ended and fill the slots; return False if there is no text.

        If others wait, a text gives up its slot when its window is full, because its cache is then
        cleared anyway. Among the texts that wait, one of the owner with the fewest slots is first,
        and of these the one that has waited longest.
        """
        with self._changed:
            while True:
                self._waiting = [s for s in self._waiting if not s.ended.is_set()]
                self._active = [s for s in self._active if not s.ended.is_set()]
                if self._waiting:
                    leaving = [s for s in self._active if s.text.fills_window and not s.input]
                    self._active = [s for s in self._active if s not in leaving]
                    self._waiting += leaving
                    for stream in leaving:
                        stream.cache = None
                held = Counter(stream.owner for stream in self._active)
                while self._waiting and len(self._active) < self._slots:
                    stream = min(self._waiting, key=lambda stream: held[stream.owner])
                    self._waiting.remove(stream)
                    self._active.append(stream)
                    held[stream.owner] += 1
                if any(len(stream.ready) < MAX_READY for stream in self._active):
                    return True
                if not self._active:
                    self._running = False
                    return False
                self._changed.wait()

    def _pass(self) -> None:
        """Compute one pass, and draw a token for each text whose input is complete."""
        streams, parts = self._next_parts()
        computed = self._compute(parts).numpy()  # (N, V)
        is_finite = np.isfinite(computed).all(axis=1)
        rows = []
        for row, stream in enumerate(streams):
            if stream.input:
                continue
            if is_finite[row]:
                rows.append(row)
            else:
                stream.error = ModelOverflowError()
                stream.ended.set()
        if not rows:
            return
        logits = computed[rows]
        texts = [streams[row].text for row in rows]
        tokens = sample(logits, [t.config for t in texts], [t.uniforms for t in texts])
        for row, token, own in zip(rows, tokens, torch.from_numpy(logits), strict=True):
            stream = streams[row]
            stream.text.ids.append(token)
            stream.ready.append(Drawn(token, own))
            stream.remaining -= 1
            if not stream.remaining:
                stream.ended.set()

    def _next_parts(self) -> tuple[list[Stream], list[Part]]:
        """The texts of the next pass and their parts; the others come first in the pass after."""
        streams, parts, skipped = [], [], []
        served: set[Hashable] = set()
        one_owner = len({stream.owner for stream in self._active}) == 1
        prefill_ids = 0
        for stream in self._active:
            if not stream.input:
                clear, stream.input = stream.text.next_input()
                if stream.cache is None:
                    stream.cache = KVCache(self._config)
                elif clear:
                    stream.cache.length = 0
            chunk = stream.input[:CHUNK]
            is_prefill = len(stream.input) > 1
            if (
                len(stream.ready) >= MAX_READY
                or (stream.owner in served and not one_owner)
                or (is_prefill and prefill_ids and prefill_ids + len(chunk) > PREFILL_IDS)
            ):
                skipped.append(stream)
                continue
            prefill_ids += len(chunk) * is_prefill
            served.add(stream.owner)
            assert stream.cache is not None
            del stream.input[: len(chunk)]
            streams.append(stream)
            parts.append(Part(stream.cache, chunk))
        self._active = skipped + streams
        return streams, parts

"""Computations of several people in one process: their end from outside, and their turns."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch.overrides import TorchFunctionMode

INTERVAL = 0.05  # seconds


class Stoppable(TorchFunctionMode):
    """A block that calls `check` between its PyTorch operations, at most once per INTERVAL.

    An exception that check raises ends the block. The checks take about 1 ms per pass of a model
    with six layers.
    """

    def __init__(self, check: Callable[[], object]):
        super().__init__()
        self._check = check
        self._next = 0.0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + INTERVAL
            self._check()
        return func(*args, **(kwargs or {}))


class Turns(Stoppable):
    """A Stoppable block whose operations take turns with those of other blocks.

    At most as many operations run at a time as PyTorch has threads, so that many blocks leave some
    of the cores to the rest of the process. An operation uses all threads only while there is no
    other block. PyTorch's threads wait for each other by spinning: on cores that were busy, a pass
    over 256 characters took nine times the processor time with two threads.
    """

    threads = torch.get_num_threads()  # when this module is imported
    slots = threading.BoundedSemaphore(threads)
    blocks: ClassVar[set["Turns"]] = set()  # that are open

    def __enter__(self) -> Self:
        self.blocks.add(self)
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.blocks.discard(self)
        super().__exit__(*exception)

    def __torch_function__(self, *operation: Any) -> Any:
        threads = self.threads if len(self.blocks) == 1 else 1
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)  # for operations of this Python thread
        with self.slots:
            return super().__torch_function__(*operation)

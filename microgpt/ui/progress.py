"""Long computations on a page: their progress bar, and their end when the visitor leaves."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st
from torch.overrides import TorchFunctionMode

# The seconds between two looks at whether the visitor has left.
_INTERVAL = 0.05


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], object]]:
    """Show a progress bar during the block; yield a function of what is done and the total."""
    bar = st.progress(0.0, label)
    try:
        yield lambda done, total: bar.progress(done / total, f"{label} {done:,} of {total:,}")
    finally:
        bar.empty()


class Stoppable(TorchFunctionMode):
    """A block in which a rerun or a closed browser tab ends the script at any PyTorch operation.

    Otherwise Streamlit ends a script only at its next st.* call, and a computation for a visitor
    who has left would keep the cores from the others.
    """

    def __init__(self) -> None:
        super().__init__()
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
            self._next = now + _INTERVAL
            _ = st.session_state.get("any")  # any st.* call lets Streamlit end the script
        return func(*args, **(kwargs or {}))

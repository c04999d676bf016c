"""Progress bars on stderr."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


class Bars:
    """Shows one progress bar at a time; a new title closes the previous bar."""

    def __init__(self) -> None:
        self._title = ""
        self._bar: tqdm | None = None

    def show(self, title: str, done: int, total: int, unit: str = "window", note: str = "") -> None:
        """Set the bar with this title to `done` of `total`; `note` is shown after it."""
        if self._bar is None or title != self._title:
            self.close()
            self._title = title
            # Drawn after it is assigned, so that an interrupt always finds a bar to close.
            self._bar = tqdm(
                desc=title or None, initial=done, total=total, unit=unit, file=sys.stderr, delay=1
            )
            self._bar.delay = 0
            self._bar.refresh()
        self._bar.total = total
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def progress_bar(title: str = "", unit: str = "window") -> Iterator[Callable[[int, int], None]]:
    """Show a bar; yield a function that takes the number of units done and their total."""
    bars = Bars()
    try:
        yield lambda done, total: bars.show(title, done, total, unit)
    finally:
        bars.close()


@contextmanager
def download_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Like progress_bar, in bytes. The bar appears only if there is something to download."""
    with contextlib.ExitStack() as stack:
        bar: tqdm | None = None

        def show(done: int, total: int) -> None:
            nonlocal bar
            if total and bar is None:
                bar = stack.enter_context(
                    tqdm(desc=title, total=total, unit="B", unit_scale=True, file=sys.stderr)
                )
            if bar is not None:
                bar.update(done - bar.n)

        yield show

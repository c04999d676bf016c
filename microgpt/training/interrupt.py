"""End a run early on Ctrl-C or SIGTERM."""

import signal
from types import FrameType


class Interrupt:
    """Turns the first Ctrl-C or SIGTERM into a request to stop; a second one stops at once.

    A signal that the process already ignores, for example in a background job, stays ignored.
    """

    requested = False

    def __enter__(self) -> "Interrupt":
        signals = (signal.SIGINT, signal.SIGTERM)
        self._previous = {
            number: signal.signal(number, self._request)
            for number in signals
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        return self

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self.restore()

    def restore(self) -> None:
        """Restore the previous handlers of the signals."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def __exit__(self, *exception: object) -> None:
        self.restore()

"""Fetch a checkpoint from the Hub in the background, within a deadline."""

import contextlib
import math
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import constants

from microgpt.checkpoint import Checkpoint, CheckpointError
from microgpt.hub import copies
from microgpt.hub.download import Download
from microgpt.hub.repo import HubError, RepoRef, explain

ANSWER_S = 4.0  # for the first answer in all: the client's timeout leaves out looking up the name
DEADLINE_S = 300.0
_LONGEST_REASON = 300
# What keeps visitors from filling the host's line, disk and memory between them.
VISITOR_SLOTS = threading.BoundedSemaphore(3)
VISITOR_BYTES = 100 * 10**6


class _Abandoned(Exception):
    """Nobody waits for this download any more."""


class Fetch:
    """A checkpoint being fetched, to be polled.

    It ends after deadline_s seconds at the latest, and after ANSWER_S when the Hub has not
    answered by then, even if a socket still hangs: its thread is left to die by itself. With
    token=False only public repos can be read; None sends the host's own token. endpoint is
    another Hub than HF_ENDPOINT's. A file of more than max_bytes is refused. Where slots are
    given, a fetch takes one until its thread ends, and fails at once when none is free.
    """

    def __init__(
        self,
        ref: RepoRef,
        *,
        token: bool | str | None = None,
        cache_dir: Path | None = None,
        deadline_s: float = DEADLINE_S,
        endpoint: str | None = None,
        max_bytes: float = math.inf,
        slots: threading.Semaphore | None = None,
    ):
        self.ref = ref
        self._deadline_s = deadline_s
        self._hub = endpoint or constants.ENDPOINT
        self._started = time.monotonic()
        self._loaded: Checkpoint | None = None
        self._error: HubError | None = None
        self._settling = threading.Lock()
        self._finished = threading.Event()
        cache = cache_dir or copies.operator_cache_folder()
        self._download = Download(ref, cache, token, self._hub, self._go_on, max_bytes)
        self._slots = contextlib.ExitStack()
        if slots is not None:
            if not slots.acquire(blocking=False):
                self._settle(
                    error=HubError(
                        "three other visitors are downloading just now; try again in a minute"
                    )
                )
                return
            self._slots.callback(slots.release)
        self._thread = threading.Thread(target=self._run, name=f"fetch {ref}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the host has no thread left
            self._slots.close()
            self._settle(error=HubError("the server is busy; try again in a minute"))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until done, at most timeout seconds, and say whether it is."""
        until = time.monotonic() + (math.inf if timeout is None else timeout)
        while not self._finished.is_set():
            now, end = time.monotonic(), self._started + self._limit_s
            if now >= end:
                self._settle(error=self._late())
            elif now >= until:
                break
            else:
                self._finished.wait(min(end, until) - now)
        return self._finished.is_set()

    def abandon(self) -> None:
        """Give the download up; a fetch that is done stays as it is.

        Its thread ends at the next chunk, or at the end of the file where that comes through Xet,
        which cannot be stopped.
        """
        self._settle(error=HubError(f"the download of {self.ref} was given up"))

    @property
    def age(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def done(self) -> bool:
        return self.wait(0)

    @property
    def loaded(self) -> Checkpoint | None:
        """The checkpoint, once it is there."""
        return self._loaded if self.done else None

    @property
    def error(self) -> HubError | None:
        """Why there will be no checkpoint."""
        return self._error if self.done else None

    @property
    def bytes_done(self) -> int:
        return self._download.bytes_done

    @property
    def bytes_total(self) -> int:
        """0 until the sizes are known."""
        return self._download.bytes_total

    @property
    def _limit_s(self) -> float:
        return self._deadline_s if self._download.answered else min(self._deadline_s, ANSWER_S)

    def _late(self) -> HubError:
        if not self._download.answered:
            return HubError(
                f"{self._hub} did not answer within {self._limit_s:g} s; try again later"
            )
        return HubError(
            f"{self.ref} did not arrive within {self._limit_s:g} s ({self.bytes_done:,} of "
            f"{self.bytes_total:,} bytes did); try again on a faster line"
        )

    def _settle(self, loaded: Checkpoint | None = None, error: HubError | None = None) -> None:
        with self._settling:
            if not self._finished.is_set():
                self._loaded, self._error = loaded, error
                self._finished.set()

    def _go_on(self) -> None:
        late = time.monotonic() >= self._started + self._limit_s
        if late or self._finished.is_set():
            raise _Abandoned

    def _run(self) -> None:
        with self._slots:
            self._fetch()

    def _fetch(self) -> None:
        try:
            self._settle(self._download.run())
        except _Abandoned:
            pass
        except CheckpointError as error:
            # The reason may quote the stranger's file, at any length.
            reason = textwrap.shorten(str(error), _LONGEST_REASON, placeholder=" …")
            self._settle(error=HubError(f"{self.ref} cannot be used: {reason}"))
        except Exception as error:  # the client documents no common class
            self._settle(error=explain(error, self.ref, self._hub, self._download.name))


def load(
    repo_id: str,
    revision: str | None = None,
    *,
    token: bool | str | None = None,
    cache_dir: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    deadline_s: float = DEADLINE_S,
    endpoint: str | None = None,
) -> Checkpoint:
    """Fetch a checkpoint and wait for it; progress is told bytes done and in all.

    The other parameters are Fetch's. Raises HubError.
    """
    fetch = Fetch(
        RepoRef(repo_id, revision),
        token=token,
        cache_dir=cache_dir,
        deadline_s=deadline_s,
        endpoint=endpoint,
    )
    while not fetch.wait(0.1):
        progress(fetch.bytes_done, fetch.bytes_total)
    if fetch.loaded is None:
        raise fetch.error
    progress(fetch.bytes_done, fetch.bytes_total)
    return fetch.loaded

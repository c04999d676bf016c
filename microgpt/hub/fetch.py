"""Fetch a checkpoint from the Hub in a background thread, with a deadline."""

import math
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from huggingface_hub import constants

from microgpt import checkpoint
from microgpt.checkpoint import AnyCheckpoint, CheckpointError, Origin
from microgpt.hub import copies
from microgpt.hub.connections import Connections, Cut
from microgpt.hub.download import Download
from microgpt.hub.repo import HubError, RepoRef, explain

# Seconds until the first answer. It includes the DNS lookup, which the client's timeout does not.
ANSWER_S = 4.0
DEADLINE_S = 300.0
_MAX_REASON = 300  # characters


class Fetch:
    """Fetch a checkpoint in a background thread; poll `done` or call `wait`.

    It ends after at most deadline_s seconds, or after ANSWER_S seconds if the Hub has not answered
    by then. Its connections are then cut, so its thread ends too and deletes its partial files.

    token: False reads public repos only; None sends the token saved on this machine, if any.
    endpoint: the address of the Hub, by default HF_ENDPOINT.
    max_bytes: the limit for each file; a repo with a larger one is refused.
    slots: a download takes one until the fetch ends, and fails at once if none is free.
    load: loads the folder of a commit.
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
        load: Callable[[Path, Origin], AnyCheckpoint] = checkpoint.load_any,
    ):
        self.ref = ref
        self._deadline_s = deadline_s
        self._hub = endpoint or constants.ENDPOINT
        self._started = time.monotonic()
        self._loaded: AnyCheckpoint | None = None
        self._error: HubError | None = None
        self._settling = threading.Lock()
        self._copying = threading.Lock()
        self._finished = threading.Event()
        self._slots, self._holds_slot = slots, False
        self._connections = Connections()
        self._cache = cache_dir or copies.operator_cache_folder()
        self._download = Download(
            ref, self._cache, token, self._hub, self._take_slot, load, max_bytes
        )
        self._thread = threading.Thread(target=self._run, name=f"fetch {ref}", daemon=True)
        try:
            self._thread.start()
            # The deadline holds even if nobody polls.
            threading.Thread(target=self.wait, name=f"deadline {ref}", daemon=True).start()
        except RuntimeError:  # the system allows no more threads
            self._settle(error=HubError("the server is busy; try again in a minute"))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the fetch is done, at most `timeout` seconds; return whether it is done."""
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

    @property
    def copy(self) -> AnyCheckpoint | None:
        """The best copy from an earlier download, which needs no network; None if there is none.

        It can be used until the checkpoint is loaded, or in its place if the fetch fails.
        """
        with self._copying:
            return self._copy

    @cached_property
    def _copy(self) -> AnyCheckpoint | None:
        return copies.cached(self.ref, self._cache)

    def unload(self, why: str) -> AnyCheckpoint | None:
        """Replace a loaded checkpoint by an error and return it; None if none is loaded."""
        with self._settling:
            loaded, self._loaded = self._loaded, None
            if loaded is not None:
                self._error = HubError(f"{self.ref} {why}")
            return loaded

    def abandon(self) -> None:
        """Cancel the download; a fetch that is done does not change."""
        self._settle(error=HubError(f"the download of {self.ref} was cancelled; start it again"))

    @property
    def age(self) -> float:
        """Seconds since the fetch started."""
        return time.monotonic() - self._started

    @property
    def done(self) -> bool:
        """Whether the fetch has ended, with a checkpoint or an error."""
        return self.wait(0)

    @property
    def loaded(self) -> AnyCheckpoint | None:
        """The checkpoint; None before the end and after an error."""
        return self._loaded if self.done else None

    @property
    def error(self) -> HubError | None:
        """Why the fetch failed; None before the end and after a success."""
        return self._error if self.done else None

    @property
    def bytes_done(self) -> int:
        """Bytes downloaded so far."""
        return self._download.bytes_done

    @property
    def bytes_total(self) -> int:
        """Bytes of all files; 0 until their sizes are known."""
        return self._download.bytes_total

    @property
    def _limit_s(self) -> float:
        return self._deadline_s if self._download.answered else min(self._deadline_s, ANSWER_S)

    def _late(self) -> HubError:
        if not self._download.answered:
            return HubError(
                f"{self._hub} did not answer within {self._limit_s:g} s; try again later"
            )
        late = (
            f"{self.ref} did not arrive within {self._limit_s:g} s ({self.bytes_done:,} of "
            f"{self.bytes_total:,} bytes did)"
        )
        return HubError(f"{late}; try again with a faster connection", f"{late}; try again later")

    def _settle(self, loaded: AnyCheckpoint | None = None, error: HubError | None = None) -> None:
        """Set the result, unless it is already set."""
        with self._settling:
            if self._finished.is_set():
                return
            self._loaded, self._error = loaded, error
            self._finished.set()
            if self._slots is not None and self._holds_slot:
                self._slots.release()
        if error is not None:
            self._connections.cut()

    def _take_slot(self) -> None:
        with self._settling:
            if self._slots is None or self._finished.is_set():
                return
            if not self._slots.acquire(blocking=False):
                raise HubError("other visitors are downloading now; try again in a minute")
            self._holds_slot = True

    def _run(self) -> None:
        try:
            with self._connections:
                self._settle(self._download.run())
        except Cut:
            pass  # the fetch has ended
        except CheckpointError as error:
            # The reason may quote an untrusted file at any length.
            reason = textwrap.shorten(str(error), _MAX_REASON, placeholder=" …")
            self._settle(error=HubError(f"{self.ref} cannot be used: {reason}"))
        except Exception as error:  # the client documents no common base class
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
) -> AnyCheckpoint:
    """Fetch a checkpoint from the Hub and wait for it.

    If the Hub does not give it, return the copy of an earlier download, with a note that says so.
    `progress` is called with the bytes done and their total; the total is 0 until the sizes are
    known. See Fetch for the other parameters. Raises HubError.
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
    if fetch.loaded is not None:
        progress(fetch.bytes_done, fetch.bytes_total)
        return fetch.loaded
    error = fetch.error or HubError("the download ended without a checkpoint; try again")
    if (copy := fetch.copy) is None:
        raise error
    assert copy.origin is not None and copy.origin.commit is not None
    note = f"{error}; this is commit {copy.origin.commit[:12]}, from an earlier download"
    return replace(copy, notes=(*copy.notes, note))

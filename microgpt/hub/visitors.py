"""Checkpoints that visitors name or open from a file, shared by all their sessions.

Each commit is downloaded and loaded once, and each file is loaded once. A checkpoint is unloaded
when the last session leaves it, or when the checkpoints of other visitors need the memory.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

from microgpt import checkpoint
from microgpt.checkpoint import AnyCheckpoint, Origin
from microgpt.hub.copies import visitor_cache_folder
from microgpt.hub.fetch import Fetch
from microgpt.hub.repo import HubError, RepoRef

# Limits for all visitors together, so that they cannot fill the server's network, disk and memory.
DOWNLOADS = 3
FILE_BYTES = 100 * 10**6
WEIGHT_BYTES = 400 * 10**6

Ref = TypeVar("Ref", RepoRef, str)


class Opened:
    """A checkpoint that did not come from the Hub; it is used as a Fetch that is done.

    ref: identifies what was opened. name: what a message calls it.
    """

    done = True

    def __init__(self, ref: str, name: str, loaded: AnyCheckpoint):
        self.ref, self.name = ref, name
        self.loaded: AnyCheckpoint | None = loaded
        self.error: HubError | None = None
        self._unloading = threading.Lock()

    def unload(self, why: str) -> AnyCheckpoint | None:
        """Replace the checkpoint by an error and return it; None if there is none."""
        with self._unloading:
            loaded, self.loaded = self.loaded, None
            if loaded is not None:
                self.error = HubError(f"{self.name} {why}")
            return loaded

    def abandon(self) -> None:
        """There is no download to cancel."""


class _Shared:
    """A source of a checkpoint, and the number of sessions that show it."""

    def __init__(self, fetch: Fetch | Opened):
        self.fetch, self.sessions, self.used = fetch, 0, time.monotonic()


class VisitorCheckpoints:
    """The checkpoints of all visitors.

    max_bytes: the limit for the weights in memory, by default WEIGHT_BYTES. The least recently used
    checkpoints are unloaded first; their sessions see an error that says so. on_unload: called with
    each checkpoint that is unloaded. cache_dir, endpoint: as for Fetch.
    """

    def __init__(
        self,
        max_bytes: int | None = None,
        on_unload: Callable[[AnyCheckpoint], None] = lambda checkpoint: None,
        cache_dir: Path | None = None,
        endpoint: str | None = None,
    ):
        self._max_bytes = WEIGHT_BYTES if max_bytes is None else max_bytes
        self._on_unload = on_unload
        self._cache_dir, self._endpoint = cache_dir, endpoint
        self._slots = threading.BoundedSemaphore(DOWNLOADS)
        self._shared: list[_Shared] = []
        self._lock = threading.Lock()  # for the list
        self._loaded: WeakValueDictionary[tuple[str, str | None], AnyCheckpoint]
        self._loaded = WeakValueDictionary()
        self._loading = threading.Lock()

    def join(self, ref: RepoRef) -> _Shared:
        """Start to fetch a repo, or join the fetch of another session that is in progress."""
        with self._lock:
            running = (s for s in self._shared if s.fetch.ref == ref and not s.fetch.done)
            shared = next(running, None)
            if shared is None:
                fetch = Fetch(
                    ref,
                    token=False,  # a visitor must not read private repos with the host's token
                    cache_dir=self._cache_dir or visitor_cache_folder(),
                    endpoint=self._endpoint,
                    max_bytes=FILE_BYTES,
                    slots=self._slots,
                    load=self._load,
                )
                shared = _Shared(fetch)
                self._shared.append(shared)
            shared.sessions += 1
            return shared

    def join_opened(self, ref: str, name: str, load: Callable[[], AnyCheckpoint]) -> _Shared:
        """Load a checkpoint that is not from the Hub, or join another session that shows it.

        Raises what `load` raises.
        """
        with self._loading:
            with self._lock:
                for shared in self._shared:
                    if shared.fetch.ref == ref and shared.fetch.loaded is not None:
                        shared.sessions += 1
                        return shared
            loaded = load()
            self._make_room(loaded)
            shared = _Shared(Opened(ref, name, loaded))
            shared.sessions += 1
            with self._lock:
                self._shared.append(shared)
            return shared

    def leave(self, shared: _Shared) -> None:
        """Undo a join: after the last one, cancel the download or unload the checkpoint."""
        with self._lock:
            shared.sessions -= 1
            if shared.sessions:
                return
            self._shared.remove(shared)
        shared.fetch.abandon()
        self._unload(shared, "is not shown any more; open it again")

    def _load(self, folder: Path, origin: Origin) -> AnyCheckpoint:
        key = (origin.name, origin.commit)
        with self._loading:  # one at a time, because loading takes memory too
            loaded = self._loaded.get(key)
            if loaded is None:
                loaded = checkpoint.load_any(folder, origin)
                self._make_room(loaded)
                self._loaded[key] = loaded
            return loaded

    def _make_room(self, new: AnyCheckpoint) -> None:
        shown = defaultdict(list)
        with self._lock:
            for shared in self._shared:
                if (loaded := shared.fetch.loaded) is not None:
                    shown[id(loaded)].append((shared.used, shared, _weight_bytes(loaded)))
        total = _weight_bytes(new) + sum(of[0][2] for of in shown.values())
        for of in sorted(shown.values(), key=lambda of: max(used for used, _, _ in of)):
            if total <= self._max_bytes:
                break
            total -= of[0][2]
            for _, shared, _ in of:
                again = "open it again" if isinstance(shared.fetch, Opened) else "try again"
                self._unload(shared, f"was closed to make room for other visitors; {again}")

    def _unload(self, shared: _Shared, why: str) -> None:
        loaded = shared.fetch.unload(why)
        if loaded is not None and not any(s.fetch.loaded is loaded for s in list(self._shared)):
            self._on_unload(loaded)


def _weight_bytes(loaded: AnyCheckpoint) -> int:
    return sum(p.numel() * p.element_size() for p in loaded.model.parameters())


class Visitor:
    """One session: the checkpoints that its views show, at most one for each view."""

    def __init__(self, checkpoints: VisitorCheckpoints):
        self._checkpoints = checkpoints
        self._shown: dict[str, _Shared] = {}
        self._lock = threading.Lock()

    def show(self, view: str, ref: RepoRef | None) -> Fetch | None:
        """Return the fetch of the repo that a view shows now; None for no repo.

        A view that showed something else leaves it.
        """
        found = self._shown_now(view, ref, lambda ref: self._checkpoints.join(ref))
        assert found is None or isinstance(found, Fetch)
        return found

    def open(self, view: str, ref: str, name: str, load: Callable[[], AnyCheckpoint]) -> Opened:
        """Return the checkpoint that a view shows now, which is not from the Hub.

        ref: identifies it; `load` is called unless a session shows it already. name: what a message
        calls it. A view that showed something else leaves it. Raises what `load` raises.
        """
        join = self._checkpoints.join_opened
        found = self._shown_now(view, ref, lambda ref: join(ref, name, load))
        assert isinstance(found, Opened)
        return found

    def opened(self, view: str) -> Opened | None:
        """The checkpoint that `open` opened for a view; None if it shows none."""
        with self._lock:
            shared = self._shown.get(view)
            if shared is None or not isinstance(shared.fetch, Opened):
                return None
            shared.used = time.monotonic()
            return shared.fetch

    def _shown_now(
        self, view: str, ref: Ref | None, join: Callable[[Ref], _Shared]
    ) -> Fetch | Opened | None:
        with self._lock:
            shared = self._shown.get(view)
            if shared is not None and shared.fetch.ref != ref:
                self._checkpoints.leave(self._shown.pop(view))
                shared = None
            if shared is None and ref is not None:
                shared = self._shown[view] = join(ref)
            if shared is None:
                return None
            shared.used = time.monotonic()
            return shared.fetch

    def close(self, view: str) -> None:
        """Leave the checkpoint of a view; to show a repo again starts a new fetch."""
        self.show(view, None)

    def leave(self) -> None:
        """Leave all checkpoints, when the session ends."""
        for view in list(self._shown):
            self.close(view)

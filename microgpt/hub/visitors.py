"""Checkpoints that visitors name, shared by all their sessions.

Each commit is downloaded and loaded once. It is unloaded when the last session leaves it, or when
the checkpoints of other visitors need the memory.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint, Origin
from microgpt.hub.copies import visitor_cache_folder
from microgpt.hub.fetch import Fetch
from microgpt.hub.repo import RepoRef

# Limits for all visitors together, so that they cannot fill the server's network, disk and memory.
DOWNLOADS = 3
FILE_BYTES = 100 * 10**6
WEIGHT_BYTES = 400 * 10**6


class _Shared:
    """A fetch and the number of sessions that show its checkpoint."""

    def __init__(self, fetch: Fetch):
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
        on_unload: Callable[[Checkpoint], None] = lambda checkpoint: None,
        cache_dir: Path | None = None,
        endpoint: str | None = None,
    ):
        self._max_bytes = WEIGHT_BYTES if max_bytes is None else max_bytes
        self._on_unload = on_unload
        self._cache_dir, self._endpoint = cache_dir, endpoint
        self._slots = threading.BoundedSemaphore(DOWNLOADS)
        self._shared: list[_Shared] = []
        self._lock = threading.Lock()  # for the list
        self._loaded: WeakValueDictionary[tuple[str, str | None], Checkpoint]
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

    def leave(self, shared: _Shared) -> None:
        """Undo a join: after the last one, cancel the download or unload the checkpoint."""
        with self._lock:
            shared.sessions -= 1
            if shared.sessions:
                return
            self._shared.remove(shared)
        shared.fetch.abandon()
        self._unload(shared, "is not shown any more; open it again")

    def _load(self, folder: Path, origin: Origin) -> Checkpoint:
        key = (origin.name, origin.commit)
        with self._loading:  # one at a time, because loading takes memory too
            loaded = self._loaded.get(key)
            if loaded is None:
                loaded = checkpoint.load(folder, origin)
                self._make_room(loaded)
                self._loaded[key] = loaded
            return loaded

    def _make_room(self, new: Checkpoint) -> None:
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
                self._unload(shared, "was closed to make room for other visitors; try again")

    def _unload(self, shared: _Shared, why: str) -> None:
        loaded = shared.fetch.unload(why)
        if loaded is not None and not any(s.fetch.loaded is loaded for s in list(self._shared)):
            self._on_unload(loaded)


def _weight_bytes(loaded: Checkpoint) -> int:
    return sum(p.numel() * p.element_size() for p in loaded.model.parameters())


class Visitor:
    """One session: the repos that its views show, at most one for each view."""

    def __init__(self, checkpoints: VisitorCheckpoints):
        self._checkpoints = checkpoints
        self._shown: dict[str, _Shared] = {}
        self._lock = threading.Lock()

    def show(self, view: str, ref: RepoRef | None) -> Fetch | None:
        """Return the fetch of the repo that a view shows now; None for no repo.

        A view that showed another repo leaves it.
        """
        with self._lock:
            shared = self._shown.get(view)
            if shared is not None and shared.fetch.ref != ref:
                self._checkpoints.leave(self._shown.pop(view))
                shared = None
            if shared is None and ref is not None:
                shared = self._shown[view] = self._checkpoints.join(ref)
            if shared is None:
                return None
            shared.used = time.monotonic()
            return shared.fetch

    def close(self, view: str) -> None:
        """Leave the repo of a view; to show it again starts a new fetch."""
        self.show(view, None)

    def leave(self) -> None:
        """Leave all repos, when the session ends."""
        for view in list(self._shown):
            self.close(view)

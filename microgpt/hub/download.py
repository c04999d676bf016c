"""Download a checkpoint with the Hub's own client; everything that arrives is untrusted."""

import contextlib
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import FileMetadataError, HfHubHTTPError, RemoteEntryNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils._headers import build_hf_headers

from microgpt import atomic, checkpoint
from microgpt.checkpoint import CONFIG, FILES, OPTIONAL, WEIGHTS, AnyCheckpoint, Origin
from microgpt.hub import copies
from microgpt.hub.repo import HubError, RepoRef

PROBE_S = 3.0
_MAX_RESTARTS = 1
_PICKLES = ("pytorch_model.bin", "model.bin", "model.pt", "model.pth", "model.ckpt", "ckpt.pt")

# The client reports progress once per chunk. The default chunk of 10 MiB is half of our weights.
constants.DOWNLOAD_CHUNK_SIZE = 4096


class _Bar:
    """The part of tqdm's interface that the client uses to report progress."""

    _on_bytes: Callable[[int], None]

    def __init__(self, **options: Any):
        self.n = 0
        self._restarts = 0

    def update(self, n: int = 1) -> None:
        self.n += n
        # A negative n means that the server could not resume and the download starts again. If the
        # server cuts every response short, the client would repeat this forever.
        self._restarts += n < 0
        if self._restarts > _MAX_RESTARTS:
            raise OSError("cut short again")
        self._on_bytes(self.n)

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *exception: object) -> None: ...


def bar_class(on_bytes: Callable[[int], None]) -> type[_Bar]:
    """Make a class of bars that call on_bytes with the number of bytes of the file so far."""
    return type("Bar", (_Bar,), {"_on_bytes": staticmethod(on_bytes)})


class _TooLarge(HubError):
    """A file is larger than its limit."""


class _NotKept(Exception):
    """A file was damaged in transfer: the checkpoint can be used, but is not kept on disk."""

    def __init__(self, loaded: AnyCheckpoint):
        super().__init__()
        self.loaded = loaded


def _is_whole(folder: Path, hashes: dict[str, str]) -> bool:
    """Return whether the files of a checkpoint match the hashes in its config.json."""
    listed = [name for name in checkpoint.files_in(folder, hashes) if name in hashes]
    return all(checkpoint.sha256(folder / name) == hashes[name] for name in listed)


_turns: WeakValueDictionary[Path, threading.Lock] = WeakValueDictionary()
_turns_lock = threading.Lock()


def _turn(copy: Path) -> threading.Lock:
    """Return the lock that the download of a copy holds, so that it is not downloaded twice."""
    with _turns_lock:
        return _turns.setdefault(copy, threading.Lock())


class Download:
    """One download of a checkpoint into a cache folder.

    The files come over plain HTTP, which can be cut at any time; a transfer through Xet cannot.
    `begin` is called before the first file, and raises to prevent the download. `load` loads a
    folder that is complete. A file of more than max_bytes is refused. Other threads may read these
    attributes: `answered`, whether the Hub has answered; `name`, the current file; `bytes_done`;
    `bytes_total`, 0 until the size of every file is known.
    """

    def __init__(
        self,
        ref: RepoRef,
        cache: Path,
        token: bool | str | None,
        hub: str,
        begin: Callable[[], None],
        load: Callable[[Path, Origin], AnyCheckpoint],
        max_bytes: float,
    ):
        self.answered = False
        self.name = CONFIG
        self.bytes_done = 0
        self.bytes_total = 0
        self._ref, self._cache, self._token, self._hub = ref, cache, token, hub
        self._begin, self._load, self._max_bytes = begin, load, max_bytes

    def run(self) -> AnyCheckpoint:
        """Find the commit, then load its copy from the cache or download it.

        Raises HubError, CheckpointError, OSError or one of the client's errors.
        """
        revision = self._ref.revision or constants.DEFAULT_REVISION
        if copy := self._copy(revision):  # a commit with a copy needs no network
            return copy
        commit, size = self._head(CONFIG, revision, PROBE_S)
        self.answered = True
        copy = self._copy(commit)
        if copy is None:
            with _turn(copies.copy_folder(self._cache, self._ref.repo_id, commit)):
                copy = self._copy(commit) or self._download(commit, size)
        with contextlib.suppress(OSError):  # the copy can be used all the same
            copies.remember(self._cache, self._ref, commit)
        return copy

    def _copy(self, commit: str) -> AnyCheckpoint | None:
        return copies.open_copy(self._cache, self._ref.repo_id, commit, self._load)

    def _download(self, commit: str, config_size: int) -> AnyCheckpoint:
        self._begin()
        copy = copies.copy_folder(self._cache, self._ref.repo_id, commit)
        try:
            with atomic.replacing(copy) as folder:
                folder.mkdir()
                hashes = self._get_all(folder, commit, config_size)
                loaded = self._load(folder, Origin("hub", self._ref.repo_id, commit))
                if not _is_whole(folder, hashes):
                    raise _NotKept(loaded)
        except _NotKept as damaged:
            return damaged.loaded
        except OSError:
            # Another fetch of this commit may have put its copy in place at the same moment.
            if found := self._copy(commit):
                return found
            raise
        copies.trim_cache(self._cache, copies.CACHE_BYTES, [copy])
        return loaded

    def _get_all(self, folder: Path, commit: str, config_size: int) -> dict[str, str]:
        """Download every file into folder; return the SHA-256 hashes that config.json lists."""
        self._get(folder, CONFIG, commit, config_size)
        _, _, hashes = checkpoint.read_config(folder)
        sizes = self._sizes(commit, [*FILES, *(name for name in OPTIONAL if name in hashes)])
        self.bytes_total = config_size + sum(sizes.values())
        for name, size in sizes.items():
            self._get(folder, name, commit, size)
        return hashes

    def _head(
        self, name: str, revision: str, timeout: float = constants.DEFAULT_ETAG_TIMEOUT
    ) -> tuple[str, int]:
        """Ask for a file's commit and its size in bytes; raise HubError if it is too large."""
        self.name = name
        url = hf_hub_url(self._ref.repo_id, name, revision=revision, endpoint=self._hub)
        found = get_hf_file_metadata(url, token=self._token, timeout=timeout, endpoint=self._hub)
        commit = found.commit_hash or ""
        if not copies.COMMIT.fullmatch(commit) or found.size is None:
            raise FileMetadataError(f"no commit or no size for {url}")
        limit = min((FILES | OPTIONAL).get(name, math.inf), self._max_bytes)
        if found.size > limit:
            raise _TooLarge(
                f"{name} of {self._ref} has {found.size:,} bytes, but the limit is {limit:,}; "
                "name another repo"
            )
        return commit, found.size

    def _sizes(self, commit: str, names: list[str]) -> dict[str, int]:
        """Ask for the sizes of all files except config.json.

        An optional file that is missing or too large is left out.
        """
        sizes = {}
        for name in names:
            if name == CONFIG:
                continue
            try:
                sizes[name] = self._head(name, commit)[1]
            except (RemoteEntryNotFoundError, _TooLarge) as error:
                if name in OPTIONAL:
                    continue
                if name == WEIGHTS and not isinstance(error, _TooLarge):
                    self._refuse_pickle(commit)
                self.name = name
                raise
        return sizes

    def _refuse_pickle(self, commit: str) -> None:
        for name in _PICKLES:
            with contextlib.suppress(HfHubHTTPError):
                self._head(name, commit)
                raise HubError(
                    f"the weights of {self._ref} are in {name}, a pickle, which can run code when "
                    f"it is read; save them as {WEIGHTS} or name another repo"
                )

    def _get(self, folder: Path, name: str, commit: str, size: int) -> None:
        self.name = name
        before = self.bytes_done

        def on_bytes(count: int) -> None:
            if count > size:
                raise HubError(f"{name} of {self._ref} is longer than the Hub said; try again")
            self.bytes_done = max(self.bytes_done, before + count)

        with open(folder / name, "wb") as file:
            http_get(
                hf_hub_url(self._ref.repo_id, name, revision=commit, endpoint=self._hub),
                file,
                headers=build_hf_headers(token=self._token),
                expected_size=size,
                tqdm_class=bar_class(on_bytes),  # type: ignore[arg-type]
            )

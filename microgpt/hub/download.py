"""Download a checkpoint from the Hub with the Hub's own client, suspecting whatever comes."""

import contextlib
import math
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import FileMetadataError, HfHubHTTPError, RemoteEntryNotFoundError

from microgpt import checkpoint
from microgpt.checkpoint import CONFIG, FILES, OPTIONAL, WEIGHTS, Checkpoint, Origin
from microgpt.hub import copies
from microgpt.hub.copies import COMMIT
from microgpt.hub.repo import HubError, RepoRef

PROBE_S = 3.0
_MOST_RESTARTS = 1
_PICKLES = ("pytorch_model.bin", "model.bin", "model.pt", "model.pth", "model.ckpt", "ckpt.pt")

# The client reports, and can be stopped, once a chunk. Its 10 MiB are half of our weights: a bar
# would stand still, and an abandoned download would go on for minutes on a slow line.
constants.DOWNLOAD_CHUNK_SIZE = 4096


class _Bar:
    """What the client reports a download to, shaped like the tqdm bar it expects.

    The client asks the class itself what it can do, so each file has a class made for it.
    """

    _seen: Callable[[int], None]

    def __init__(self, **options: Any):
        self.n = 0
        self._restarts = 0

    def update(self, n: int = 1) -> None:
        self.n += n
        # The client takes back what it had when a server cannot resume, and never gives up on one
        # that cuts every answer short.
        self._restarts += n < 0
        if self._restarts > _MOST_RESTARTS:
            raise OSError("cut short again")
        self._seen(self.n)

    def update_transfer(self, n: int) -> None:
        """Xet also counts bytes on the wire; the file's own are what is shown."""

    def set_postfix_str(self, text: str, refresh: bool = True) -> None: ...

    set_transfer_postfix_str = set_postfix_str

    def close(self) -> None: ...

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *exception: object) -> None: ...


def bar_class(seen: Callable[[int], None]) -> type[_Bar]:
    """A class of bars that tell seen how many bytes of a file are there."""
    return type("Bar", (_Bar,), {"_seen": staticmethod(seen)})


class Download:
    """One download of a checkpoint into a cache.

    Its progress can be read from another thread: whether the Hub has answered, the file it is
    busy with, bytes done and in all; these are 0 until all sizes are known. go_on is called
    often and raises when the download is to end. No file may have more than max_bytes.
    """

    def __init__(
        self,
        ref: RepoRef,
        cache: Path,
        token: bool | str | None,
        hub: str,
        go_on: Callable[[], None],
        max_bytes: float = math.inf,
    ):
        self.answered = False
        self.name = CONFIG
        self.bytes_done = 0
        self.bytes_total = 0
        self._ref, self._cache, self._token, self._hub = ref, cache, token, hub
        self._go_on, self._max_bytes = go_on, max_bytes

    def run(self) -> Checkpoint:
        """Resolve the commit, then open its copy in the cache or download it.

        Raises HubError, CheckpointError, or the client's errors.
        """
        repo_id = self._ref.repo_id
        revision = self._ref.revision or constants.DEFAULT_REVISION
        # A copy of a commit that was named needs no network.
        if copy := copies.open_copy(self._cache, repo_id, revision):
            return copy
        commit, size = self._head(CONFIG, revision, PROBE_S)
        self.answered = True
        copy = copies.open_copy(self._cache, repo_id, commit)
        copy = copy or self._download(commit, size)
        copies.remember(self._cache, self._ref, commit)
        return copy

    def _download(self, commit: str, config_size: int) -> Checkpoint:
        with copies.partial_folder(self._cache) as folder:
            self._get(folder, CONFIG, commit, config_size)
            _, _, hashes = checkpoint.read_config(folder)
            sizes = self._sizes(commit, [*FILES, *(name for name in OPTIONAL if name in hashes)])
            self.bytes_total = config_size + sum(sizes.values())
            for name, size in sizes.items():
                self._get(folder, name, commit, size)
            loaded = checkpoint.load(folder, Origin("hub", self._ref.repo_id, commit))
            shutil.rmtree(folder / ".cache")  # the client's notes
            copies.store(folder, self._cache, self._ref.repo_id, commit)
        return loaded

    def _head(
        self, name: str, revision: str, timeout: float = constants.DEFAULT_ETAG_TIMEOUT
    ) -> tuple[str, int]:
        """The commit that revision means and the size of a file in it, both checked."""
        self._go_on()
        self.name = name
        url = hf_hub_url(self._ref.repo_id, name, revision=revision, endpoint=self._hub)
        found = get_hf_file_metadata(url, token=self._token, timeout=timeout, endpoint=self._hub)
        if not COMMIT.fullmatch(found.commit_hash or "") or found.size is None:
            raise FileMetadataError(f"no commit or no size for {url}")
        most = min((FILES | OPTIONAL).get(name, math.inf), self._max_bytes)
        if found.size > most:
            raise HubError(
                f"{name} of {self._ref} has {found.size:,} bytes but at most {most:,} are read; "
                "name another repo"
            )
        return found.commit_hash, found.size

    def _sizes(self, commit: str, names: list[str]) -> dict[str, int]:
        """The size of every file but config.json, and of the optional ones that are there."""
        sizes = {}
        for name in names:
            if name == CONFIG:
                continue
            try:
                sizes[name] = self._head(name, commit)[1]
            except RemoteEntryNotFoundError:
                if name in OPTIONAL:
                    continue
                if name == WEIGHTS:
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
                    f"read; save them as {WEIGHTS} or name another repo"
                )

    def _get(self, folder: Path, name: str, commit: str, size: int) -> None:
        """Download one file into folder, counting its bytes."""
        self.name = name
        before = self.bytes_done
        worker = threading.get_ident()

        def seen(count: int) -> None:
            # Xet reports from a thread of its own, which would print what is raised there and go
            # on with the file all the same.
            if threading.get_ident() == worker:
                self._go_on()
                if count > size:
                    raise HubError(f"{name} of {self._ref} is longer than the Hub said; try again")
            self.bytes_done = max(self.bytes_done, before + min(count, size))

        hf_hub_download(
            self._ref.repo_id,
            name,
            revision=commit,
            local_dir=folder,
            cache_dir=folder,  # nothing unverified is taken from the client's own cache
            token=self._token,
            endpoint=self._hub,
            tqdm_class=bar_class(seen),
        )
        self._go_on()
        self.bytes_done = before + size

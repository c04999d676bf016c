"""Download some files of a repo on the Hub into a folder; everything that arrives is untrusted."""

import threading
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import RemoteEntryNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils._headers import build_hf_headers

from microgpt.hub.connections import Connections
from microgpt.hub.download import bar_class
from microgpt.hub.fetch import DEADLINE_S
from microgpt.hub.repo import HubError, RepoRef, explain


def download_files(
    ref: RepoRef,
    limits: Mapping[str, int],
    folder: Path,
    *,
    token: bool | str | None = None,
    deadline_s: float = DEADLINE_S,
) -> None:
    """Download the files of a repo that exist, each of at most `limits` bytes by its name.

    The connections are cut after deadline_s seconds. Raises HubError.
    """
    hub, connections, name = constants.ENDPOINT, Connections(), "the repo"
    timer = threading.Timer(deadline_s, connections.cut)
    timer.daemon = True
    timer.start()
    try:
        with connections:
            for name, limit in limits.items():
                _download(ref, name, limit, folder, token, hub)
    except Exception as error:
        if timer.finished.is_set():
            raise HubError(
                f"{ref} did not arrive within {deadline_s:g} s; try again with a faster connection"
            ) from error
        raise explain(error, ref, hub, name) from error
    finally:
        timer.cancel()


def _download(
    ref: RepoRef, name: str, limit: int, folder: Path, token: bool | str | None, hub: str
) -> None:
    revision = ref.revision or constants.DEFAULT_REVISION
    url = hf_hub_url(ref.repo_id, name, revision=revision, endpoint=hub)
    try:
        size = get_hf_file_metadata(url, token=token, endpoint=hub).size
    except RemoteEntryNotFoundError:
        return
    if size is None or size > limit:
        shown = "no size" if size is None else f"{size:,} bytes"
        raise HubError(
            f"{name} of {ref} has {shown}, but the limit is {limit:,}; name another repo"
        )

    def on_bytes(count: int) -> None:
        if count > size:
            raise HubError(f"{name} of {ref} is longer than the Hub said; try again")

    with open(folder / name, "wb") as file:
        http_get(
            url,
            file,
            headers=build_hf_headers(token=token),
            expected_size=size,
            tqdm_class=bar_class(on_bytes),  # type: ignore[arg-type]
        )

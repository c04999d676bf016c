"""Publish a checkpoint folder on the Hub as one commit."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi

from microgpt import checkpoint
from microgpt.hub.repo import RepoRef, explain


@dataclass(frozen=True)
class Published:
    """The size in bytes of each uploaded file; `commit` and `url` are None after a dry run."""

    files: dict[str, int]
    commit: str | None = None
    url: str | None = None


def publish(
    folder: Path,
    repo_id: str,
    *,
    dry_run: bool = False,
    private: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
) -> Published:
    """Upload only the files of a checkpoint, as one commit; create the repo if needed.

    A dry run only lists the files and needs no network. `token` must have write access; the
    default is HF_TOKEN or the one saved by `hf auth login`. Raises CheckpointError if the folder
    is not a complete checkpoint, HubError if the Hub refuses.
    """
    ref = RepoRef(repo_id)
    checkpoint.load(folder, strict=True)
    names = checkpoint.files_in(folder, checkpoint.read_config(folder)[2])
    files = {name: (folder / name).stat().st_size for name in names}
    if dry_run:
        return Published(files)
    api = HfApi(endpoint=endpoint, token=token)
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.create_commit(
            repo_id,
            [CommitOperationAdd(name, folder / name) for name in files],
            commit_message="Publish a microGPT checkpoint",
        )
    except Exception as error:  # the client documents no common base class
        raise explain(error, ref, api.endpoint) from error
    return Published(files, commit.oid, commit.commit_url)

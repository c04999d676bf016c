"""Publish a checkpoint folder on the Hub as one commit."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.hub.repo import RepoRef, explain
from microgpt.hub.transformers_files import transformers_files
from microgpt.interop import InteropError


@dataclass(frozen=True)
class Published:
    """The size in bytes of each uploaded file; `commit` and `url` are None after a dry run."""

    files: dict[str, int]
    commit: str | None = None
    url: str | None = None


def publish(
    folder: str | Path,
    repo_id: str,
    *,
    dry_run: bool = False,
    private: bool = False,
    with_transformers: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
) -> Published:
    """Upload only the files of a checkpoint, as one commit; create the repo if needed.

    with_transformers: also upload what transformers needs to open the repo (transformers_files). A
    dry run only lists the files and needs no network. `token` must have write access; the
    default is HF_TOKEN or the one saved by `hf auth login`. Raises CheckpointError if the folder
    is not a complete checkpoint, InteropError if transformers cannot express the model, HubError if
    the Hub refuses.
    """
    ref = RepoRef(repo_id)
    loaded = checkpoint.load_any(folder, strict=True)
    names = checkpoint.files_in(folder, checkpoint.read_config(folder)[2])
    files: dict[str, Path | bytes] = {name: Path(folder, name) for name in names}
    if with_transformers:
        if not isinstance(loaded, Checkpoint):
            raise InteropError(
                "transformers cannot express an encoder–decoder; publish it without the files of "
                "transformers"
            )
        files |= transformers_files(folder, loaded, repo_id)
    sizes = {
        name: len(file) if isinstance(file, bytes) else file.stat().st_size
        for name, file in files.items()
    }
    if dry_run:
        return Published(sizes)
    api = HfApi(endpoint=endpoint, token=token)
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.create_commit(
            repo_id,
            [CommitOperationAdd(name, file) for name, file in files.items()],
            commit_message="Publish a microGPT checkpoint",
        )
    except Exception as error:  # the client documents no common base class
        raise explain(error, ref, api.endpoint) from error
    return Published(sizes, commit.oid, commit.commit_url)

"""Names of repos on the Hub, and error messages for failures of the Hub."""

import logging
import re
import traceback
from dataclasses import dataclass

import httpx2
from huggingface_hub import parse_hf_uri
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from microgpt.errors import MicroGPTError

_REVISION = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*", re.ASCII)
_MAX_REVISION_LENGTH = 200
_log = logging.getLogger(__name__)


class HubError(MicroGPTError):
    """The Hub, or a repo on it, cannot be used."""


@dataclass(frozen=True)
class RepoRef:
    """A repo, `user/name`, and a branch, tag or commit of it; None means the main branch.

    Raises HubError if either is malformed.
    """

    repo_id: str
    revision: str | None = None

    def __post_init__(self) -> None:
        try:
            validate_repo_id(self.repo_id)
            good = self.repo_id.count("/") == 1
        except HFValidationError:
            good = False
        if good and self.revision is not None:
            good = len(self.revision) <= _MAX_REVISION_LENGTH and ".." not in self.revision
            good = good and _REVISION.fullmatch(self.revision) is not None
        if not good:
            raise HubError(
                f"{str(self)[:100]!r} is not the name of a repo; "
                "write user/name or user/name@revision"
            )

    def __str__(self) -> str:
        return self.repo_id if self.revision is None else f"{self.repo_id}@{self.revision}"


def parse_repo(text: str) -> RepoRef:
    """Parse `user/name`, `user/name@revision` or the URL of a model's page. Raises HubError."""
    text = text.strip()
    if "://" in text:
        try:
            uri = parse_hf_uri(text)
        except ValueError:
            uri = None
        if uri is None or uri.type != "model":
            raise HubError(f"{text[:100]!r} is not the URL of a model on the Hub; write user/name")
        return RepoRef(uri.id, uri.revision)
    repo_id, at, revision = text.partition("@")
    return RepoRef(repo_id, revision if at else None)


def explain(error: Exception, ref: RepoRef, hub: str, name: str = "the transfer") -> HubError:
    """Turn an error of the Hub's client into one sentence that says what to do.

    `hub` is the address of the Hub, `name` the file that was being transferred.
    """
    later, public = "try again later", "name a public repo"
    login = "log in with `hf auth login` or set HF_TOKEN"
    for_visitors = None  # what they can do, if they cannot follow the advice in `todo`
    wrappers = LocalEntryNotFoundError | RuntimeError
    while isinstance(error, wrappers) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # these wrappers only say that something failed
    match error:
        case HubError():
            return error
        case GatedRepoError():
            what = f"{ref} is gated (its author decides who may read it)"
            todo = f"{public}, or set HF_TOKEN to a token of an account that has access"
            for_visitors = public
        case RepositoryNotFoundError():
            what, todo = f"there is no public repo {ref.repo_id} on {hub}", "check the name"
        case RevisionNotFoundError():
            what = f"{ref.repo_id} has no branch, tag or commit {ref.revision!r}"
            todo = "check the name"
        case RemoteEntryNotFoundError():
            what = f"{ref} is not a microGPT checkpoint: {name} is missing"
            todo = "name another repo"
        case HfHubHTTPError(response=response) if response.status_code in (401, 403):
            what = f"{hub} refuses access to {ref} ({response.status_code})"
            todo, for_visitors = login, public
        case HfHubHTTPError(response=response) if response.status_code == 413:
            what, todo = f"a file is too large for {hub} (413)", "use a smaller model"
        case HfHubHTTPError(response=response):
            status = f"{response.status_code} {response.reason_phrase}"
            what, todo = f"{hub} answered {status!r} for {ref}", later
        case LocalTokenNotFoundError():
            what, todo, for_visitors = f"{ref} needs a login", login, public
        case OfflineModeIsEnabled():
            what = f"{ref} cannot be reached while HF_HUB_OFFLINE is set"
            todo, for_visitors = "unset it", "this app does not use the Hub"
        case FileMetadataError() | httpx2.UnsupportedProtocol():
            what = f"{hub} is not a Hugging Face Hub"
            todo, for_visitors = "check HF_ENDPOINT", later
        case ValueError(__cause__=HfHubHTTPError()):  # it refuses the metadata of the model card
            reason = " ".join(str(error).split())
            what, todo = f"{hub} refuses {ref}: {reason}", "correct README.md"
        case AttributeError() | IndexError() | KeyError() | TypeError() | ValueError() if (
            _raised_by_client(error)  # while it read an answer
        ):
            what = f"{hub} sent an answer that is not one of a Hugging Face Hub"
            todo, for_visitors = "check HF_ENDPOINT or try again later", later
        case httpx2.ConnectError():
            what = f"{hub} cannot be reached"
            todo, for_visitors = "check the connection and try again", later
        case httpx2.TimeoutException():
            what, todo = f"{hub} did not answer in time", later
        case httpx2.HTTPError() | OSError(errno=None):
            what = f"the connection to {hub} broke before {name} was complete"
            todo = "try again"
        case OSError():
            what = f"{name} of {ref} cannot be saved: {error.strerror}"
            todo, for_visitors = "check the disk", later
        case _:
            _log.debug("unexpected error about %s", ref, exc_info=error)
            reason = " ".join(str(error).split())
            what, todo = f"{ref} cannot be used: {reason} ({type(error).__name__})", later
    return HubError(f"{what}; {todo}", for_visitors and f"{what}; {for_visitors}")


def _raised_by_client(error: Exception) -> bool:
    """Whether an error comes from the code of the Hub's client, and not from ours."""
    frames = traceback.walk_tb(error.__traceback__)
    packages = [frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in frames]
    known = [name for name in packages if name in ("huggingface_hub", "microgpt")]
    return known[-1:] == ["huggingface_hub"]

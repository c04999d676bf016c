"""A JSON file that a page saves and opens again: record.json or view.json."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from microgpt.checkpoint import MIB, Checkpoint
from microgpt.config import ConfigError
from microgpt.errors import MicroGPTError
from microgpt.formats import Document, FormatError, parse_json, stamped
from microgpt.hub import RepoRef
from microgpt.ui.checkpoints import REPO, included_with
from microgpt.ui.opened import CHOSEN
from microgpt.ui.text import escaped

# The fields that identify the checkpoint in every such file.
ORIGIN = ("weights_sha256", "checkpoint", "commit")


@dataclass(frozen=True)
class SavedFile:
    """A kind of file: its fields, its largest size, and how to read it.

    noun: `record` for record.json. page: the title of its page. kind: the value of the file's field
    `kind`. fields: the fields besides `kind` and ORIGIN. difference: what differs if the file comes
    from another checkpoint, a clause. max_mib: the largest size in MiB. read: returns the values of
    the page's widgets by key; it may raise ConfigError, FormatError, or any error that a malformed
    file causes.
    """

    noun: str
    page: str
    kind: str
    fields: Collection[str]
    difference: str
    max_mib: int
    read: Callable[[Document], dict[str, Any]]

    @property
    def name(self) -> str:
        return f"{self.noun}.json"

    @property
    def _upload_key(self) -> str:
        return f"opened_{self.noun}"

    @property
    def _error_key(self) -> str:
        return f"{self.noun}_error"

    def content(
        self, checkpoint: Checkpoint, values: Mapping[str, Any], optional: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The content of a file: these values, the format, the kind and the checkpoint.

        optional: fields that an older version of microGPT may ignore.
        """
        return stamped({"kind": self.kind, **origin_fields(checkpoint), **values}, optional)

    def uploader(self, checkpoint: Checkpoint, use: Callable[[dict[str, Any]], None]) -> None:
        """Show an upload; its callback calls use(values), or an error is shown below it."""
        st.file_uploader(
            self.name,
            type="json",
            key=self._upload_key,
            max_upload_size=self.max_mib,
            on_change=self._open,
            args=(checkpoint.weights_sha256, use),  # not the checkpoint: Streamlit keeps them
        )
        if error := st.session_state.get(self._error_key):
            st.error(escaped(error))

    def _open(self, weights_sha256: str, use: Callable[[dict[str, Any]], None]) -> None:
        st.session_state[self._error_key] = None
        file = st.session_state[self._upload_key]
        if file is None:
            return
        try:
            data = content_of(file, f"a {self.name}", self.max_mib)
            values, weights, repo = self._read(data)
        except (ConfigError, FormatError) as error:
            st.session_state[self._error_key] = f"The {self.noun} cannot be opened: {error}."
            return
        if weights != weights_sha256:
            if repo:
                values[REPO.key] = repo
            elif (name := included_with(weights)) is not None:
                values |= {CHOSEN.key: name, REPO.key: ""}
            else:
                st.toast(f"The {self.noun} comes from another checkpoint, so {self.difference}.")
        use(values)

    def _read(self, data: bytes) -> tuple[dict[str, Any], str, str]:
        """The widgets' values, the SHA-256 of the weights, and their repo, empty if none.

        Raises ConfigError or FormatError.
        """
        other_file = ConfigError(f"it is not a {self.name} of the {self.page} page")
        try:
            values = parse_json(self.name, data)
            if isinstance(values.get("format"), str):  # format 1 had the kind there
                values["kind"] = values.pop("format")
            document = Document.of(self.name, values)
        except FormatError as error:
            raise other_file from error
        if document.values.get("kind") != self.kind:
            raise other_file
        document.known(document.values, ("kind", *ORIGIN, *self.fields))
        try:
            weights, name, commit = (str(document.values[key]) for key in ORIGIN)
            repo = str(RepoRef(name, commit)) if commit else ""
            return self.read(document), weights, repo
        except (ConfigError, FormatError):
            raise
        except (
            MicroGPTError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            OverflowError,
        ) as error:
            raise other_file from error


def content_of(file: UploadedFile, name: str, max_mib: int) -> bytes:
    """The content of an uploaded file. Raises FormatError if it has more than max_mib MiB.

    The uploader's own limit holds only in the browser. name: what the message calls such a file.
    """
    if file.size > max_mib * MIB:
        raise FormatError(f"{name} has at most {max_mib} MiB; this file has {file.size:,} bytes")
    return file.getvalue()


def origin_fields(checkpoint: Checkpoint) -> dict[str, str]:
    """The fields that identify a checkpoint in a file."""
    origin = checkpoint.origin
    assert origin is not None and checkpoint.weights_sha256 is not None  # it was loaded
    return {
        "checkpoint": origin.short_name,
        "commit": origin.commit or "",
        "weights_sha256": checkpoint.weights_sha256,
    }

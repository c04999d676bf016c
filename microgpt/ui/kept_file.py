"""A JSON file that a page writes and opens again: record.json or view.json."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.config import ConfigError
from microgpt.errors import MicroGPTError
from microgpt.formats import Document, FormatError, parse_json, stamped
from microgpt.hub import RepoRef
from microgpt.ui.text import plain

# The fields that identify the checkpoint in every such file.
ORIGIN = ("weights_sha256", "checkpoint", "commit")


@dataclass(frozen=True)
class KeptFile:
    """The name, fields and size limit of a kind of file, and how to read it.

    noun: `record` for record.json. whose: `a text's`, for messages. kind: the value of the file's
    field `kind`. fields: besides kind and ORIGIN. differs: what changes with another checkpoint,
    for messages. largest: in MiB. read: returns the values of the page's widgets by key; it may
    raise ConfigError, FormatError, or any error of a malformed file.
    """

    noun: str
    whose: str
    kind: str
    fields: Collection[str]
    differs: str
    largest: int
    read: Callable[[Document], dict[str, Any]]

    @property
    def name(self) -> str:
        return f"{self.noun}.json"

    def written(
        self, checkpoint: Checkpoint, values: Mapping[str, Any], optional: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The content of a file with these values, including kind, format and checkpoint."""
        return stamped({"kind": self.kind, **origin_fields(checkpoint), **values}, optional)

    def uploader(self, checkpoint: Checkpoint, use: Callable[[dict[str, Any]], None]) -> None:
        """Show the upload; a callback passes the widgets' values to `use`, or shows the error."""
        st.file_uploader(
            self.name,
            type="json",
            key=f"opened_{self.noun}",
            max_upload_size=self.largest,
            on_change=self._open,
            args=(checkpoint.weights_sha256, use),  # not the checkpoint: Streamlit keeps them
        )
        if complaint := st.session_state.get(f"{self.noun}_complaint"):
            st.error(plain(complaint))

    def _open(self, weights_sha256: str, use: Callable[[dict[str, Any]], None]) -> None:
        st.session_state[f"{self.noun}_complaint"] = None
        file = st.session_state[f"opened_{self.noun}"]
        if file is None:
            return
        try:
            asked, weights, repo = self._read(file.getvalue())
        except (ConfigError, FormatError) as error:
            complaint = f"The {self.noun} cannot be opened: {error}."
            st.session_state[f"{self.noun}_complaint"] = complaint
            return
        if weights != weights_sha256:
            if repo:
                asked["repo"] = repo
            else:
                st.toast(
                    f"The {self.noun} comes from another checkpoint, so the {self.differs} differ."
                )
        use(asked)

    def _read(self, data: bytes) -> tuple[dict[str, Any], str, str]:
        """The widgets' values, the SHA-256 of the weights, and their repo, empty if none.

        Raises ConfigError or FormatError.
        """
        foreign = ConfigError(f"it is not {self.whose} {self.name}")
        try:
            values = parse_json(self.name, data)
            if isinstance(values.get("format"), str):  # format 1 had the kind there
                values["kind"] = values.pop("format")
            document = Document.of(self.name, values)
        except FormatError as error:
            raise foreign from error
        if document.values.get("kind") != self.kind:
            raise foreign
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
            raise foreign from error


def origin_fields(checkpoint: Checkpoint) -> dict[str, str]:
    """The fields that identify a checkpoint in a file."""
    origin = checkpoint.origin
    assert origin is not None and checkpoint.weights_sha256 is not None  # it was loaded
    return {
        "checkpoint": origin.short_name,
        "commit": origin.commit or "",
        "weights_sha256": checkpoint.weights_sha256,
    }

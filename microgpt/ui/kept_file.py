"""A JSON file that a page gives and takes again: a text's record, a view of the maps."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.config import ConfigError
from microgpt.errors import MicroGPTError
from microgpt.formats import Document, FormatError, parse_json, stamped
from microgpt.hub import RepoRef
from microgpt.ui.text import plain

# What every such file tells of its checkpoint.
ORIGIN = ("weights_sha256", "checkpoint", "commit")


@dataclass(frozen=True)
class KeptFile:
    """What a kind of file is called, how large it may be, and how it is read.

    noun: `record`, of which the file is record.json; whose: `a text's`; kind: what the file says it
    is; fields: those it has besides the checkpoint's; differs: what another checkpoint would
    change; largest: MiB. read takes a file, gives what it asks of the page's widgets by their keys,
    and raises ConfigError, FormatError, or what a malformed file makes it raise.
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
        """The file's content: what it is, of which checkpoint, and the values of its fields."""
        return stamped({"kind": self.kind, **told_origin(checkpoint), **values}, optional)

    def uploader(self, checkpoint: Checkpoint, use: Callable[[dict[str, Any]], None]) -> None:
        """Take a file and have what it asks for used, from a callback, or say what is wrong."""
        st.file_uploader(
            self.name,
            type="json",
            key=f"opened_{self.noun}",
            max_upload_size=self.largest,
            on_change=self._open,
            args=(checkpoint, use),
        )
        if complaint := st.session_state.get(f"{self.noun}_complaint"):
            st.error(plain(complaint))

    def _open(self, checkpoint: Checkpoint, use: Callable[[dict[str, Any]], None]) -> None:
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
        if weights != checkpoint.weights_sha256:
            if repo:
                asked["repo"] = repo
            else:
                st.toast(
                    f"The {self.noun} is of another checkpoint, so its {self.differs} will differ."
                )
        use(asked)

    def _read(self, data: bytes) -> tuple[dict[str, Any], str, str]:
        """What a file asks for, the weights it is of, and the repo that has them or nothing.

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


def told_origin(checkpoint: Checkpoint) -> dict[str, str]:
    """What a file tells of its checkpoint."""
    origin = checkpoint.origin
    assert origin is not None and checkpoint.weights_sha256 is not None  # it was loaded
    return {
        # Where a folder lies on the server is no business of its visitors.
        "checkpoint": origin.name if origin.kind == "hub" else Path(origin.name).name,
        "commit": origin.commit or "",
        "weights_sha256": checkpoint.weights_sha256,
    }

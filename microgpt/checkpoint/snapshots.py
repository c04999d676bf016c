"""How a model came to write: what it did at some steps of its training, as one .npz file."""

import io
import math
import zipfile
from dataclasses import dataclass, fields
from typing import Annotated, Any, Self, get_args

import numpy as np

from microgpt.errors import MicroGPTError
from microgpt.formats import FORMAT, Document, FormatError, required_fields

# Of all arrays together, uncompressed. A checkpoint may be anyone's, and so may its zip file.
MOST_BYTES = 32 * 2**20


class SnapshotsError(MicroGPTError):
    """A file of snapshots is malformed."""


@dataclass(frozen=True, eq=False)
class Snapshots:
    """S snapshots of a training: what the model made of one passage then, and what it wrote.

    steps: (S,) optimiser updates made, rising. passage: (T,) ids. maps: (S, L, H, T, T), 255 times
    the attention weights, rounded. probs: (S, T, V), of the character after each position.
    samples: (S, N) ids written after a newline, always with the same draws.
    """

    # Each with the type it has in the file.
    steps: Annotated[np.ndarray, np.int64]
    passage: Annotated[np.ndarray, np.uint16]
    maps: Annotated[np.ndarray, np.uint8]
    probs: Annotated[np.ndarray, np.float16]
    samples: Annotated[np.ndarray, np.uint16]

    def to_npz(self) -> bytes:
        """The file's content; the same snapshots give the same bytes."""
        file = io.BytesIO()
        arrays: dict[str, Any] = {
            name: getattr(self, name).astype(dtype)
            for name, dtype in _dtypes(type(self)).items()
            if getattr(self, name) is not None
        }
        np.savez_compressed(file, **arrays, format=np.int64(FORMAT))
        return file.getvalue()

    def most_changed_head(self) -> tuple[int, int]:
        """Layer and head, from 0, whose map differs most between the first and the last."""
        change = np.abs(self.maps[-1].astype(np.int16) - self.maps[0]).sum(axis=(2, 3))
        layer, head = np.unravel_index(change.argmax(), change.shape)
        return int(layer), int(head)

    @classmethod
    def from_npz(cls, data: bytes, n_layer: int, n_head: int, vocab_size: int) -> Self:
        """Read what to_npz wrote, of a model of that many layers, heads and characters.

        Raises SnapshotsError; no more than MOST_BYTES are taken.
        """
        try:
            snapshots = cls(**_read(data, _dtypes(cls), required_fields(cls)))
            fits = snapshots._fits(n_layer, n_head, vocab_size)
        except FormatError as error:
            raise SnapshotsError(str(error)) from error
        except Exception as error:  # a damaged or foreign file may raise anything
            raise SnapshotsError("the checkpoint's snapshots cannot be read") from error
        if not fits:
            raise SnapshotsError("the checkpoint's snapshots do not fit its model")
        return snapshots

    def _fits(self, n_layer: int, n_head: int, vocab_size: int) -> bool:
        (s, _), (t,) = self.samples.shape, self.passage.shape
        shapes = self.steps.shape, self.maps.shape, self.probs.shape
        return (
            shapes == ((s,), (s, n_layer, n_head, t, t), (s, t, vocab_size))
            and min(s, t) > 0
            and self.steps[0] >= 0
            and bool((self.steps[1:] > self.steps[:-1]).all())
            and bool((self.probs >= 0).all() and (self.probs <= 1).all())  # so neither NaN
            and max(self.passage.max(), self.samples.max(initial=0)) < vocab_size
        )


def _dtypes(cls: type[Snapshots]) -> dict[str, type]:
    """The type that each array has in the file."""
    return {field.name: get_args(field.type)[1] for field in fields(cls)}


def _read(data: bytes, dtypes: dict[str, type], required: set[str]) -> dict[str, np.ndarray]:
    """The arrays of a .npz file whose sizes are within bounds. Raises anything."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if sum(member.file_size for member in members.values()) > MOST_BYTES:
            raise SnapshotsError("the arrays are too large")
        written: dict[str, int] = {}
        if number := members.pop("format", None):
            written = {"format": int(_array(_unpacked(archive, number), np.int64))}
        members = Document.of("snapshots.npz", written).known(members, dtypes, "array")
        if not required <= set(members):
            raise SnapshotsError("an array is missing")
        return {
            name: _array(_unpacked(archive, member), dtypes[name])
            for name, member in members.items()
        }


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    # Only what the directory promises is unpacked; bzip2 and LZMA would unpack all first.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SnapshotsError("an array is packed in another way")
    with archive.open(member) as file:
        return file.read(member.file_size)


def _array(content: bytes, dtype: type) -> np.ndarray:
    """One .npy file; its header is not believed about how much memory it needs."""
    file = io.BytesIO(content)
    np.lib.format.read_magic(file)
    shape, is_fortran, found = np.lib.format.read_array_header_1_0(file)
    if found != dtype or is_fortran:
        raise SnapshotsError("an array has the wrong type")
    if math.prod(shape) * found.itemsize != len(content) - file.tell():
        raise SnapshotsError("an array is not as large as its header says")
    return np.frombuffer(content, found, offset=file.tell()).reshape(shape)

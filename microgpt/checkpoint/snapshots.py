"""Snapshots of a training run, stored as one .npz file."""

import io
import math
import zipfile
from dataclasses import dataclass, fields
from typing import Annotated, Any, Self, get_args

import numpy as np

from microgpt.errors import MicroGPTError
from microgpt.formats import FORMAT, Document, reading, required_fields

# Limit for all arrays together, uncompressed. The file is untrusted and may be a zip bomb.
MAX_BYTES = 32 * 2**20


class SnapshotsError(MicroGPTError):
    """The snapshots of a checkpoint are missing, malformed or do not fit its model."""


@dataclass(frozen=True, eq=False)
class Snapshots:
    """S snapshots of a training run: attention and predictions over a passage, and samples.

    steps: (S,) optimizer updates made, increasing. passage: (T,) ids. maps: (S, L, H, T, T), 255
    times the attention weights, rounded. probs: (S, T, V), probabilities of the next character at
    each position. samples: (S, N), ids generated from an empty prompt, with the same seed each
    time. surprisal_without: (S, L, H, T - 1), nats, the surprisal of each character of the passage
    after its first one when a single head is ablated; None if it was not measured.
    """

    # The annotations give the dtypes in the file.
    steps: Annotated[np.ndarray, np.int64]
    passage: Annotated[np.ndarray, np.uint16]
    maps: Annotated[np.ndarray, np.uint8]
    probs: Annotated[np.ndarray, np.float16]
    samples: Annotated[np.ndarray, np.uint16]
    surprisal_without: Annotated[np.ndarray | None, np.float16] = None

    @property
    def surprisal(self) -> np.ndarray:
        """(S, T - 1) float32, the surprisal of each character of the passage after its first, nats.

        It is computed from probs, so a character is at most 16.6 nats: the smallest probability in
        float16 is 2^-24. The mean over the passage is the loss.
        """
        found = self.probs[:, np.arange(len(self.passage) - 1), self.passage[1:]]
        smallest = np.finfo(np.float16).smallest_subnormal
        return -np.log(np.maximum(found, smallest, dtype=np.float32))

    def surest_end(self, least: int, most: int) -> int:
        """How long a start of the passage is where the last snapshot is surest of what follows.

        It has at least `least` and at most `most` characters, within 1 to T.
        """
        least = min(max(1, least), len(self.passage))
        highest = self.probs[-1, least - 1 : max(least, most)].max(axis=-1)
        return least + int(highest.argmax())

    def to_npz(self) -> bytes:
        """Convert to the content of a .npz file; equal snapshots give equal bytes."""
        return to_npz(self)

    def most_changed_head(self) -> tuple[int, int]:
        """Layer and head, from 0, whose map changed most from the first to the last snapshot."""
        change = np.abs(self.maps[-1].astype(np.int16) - self.maps[0]).sum(axis=(2, 3))
        layer, head = np.unravel_index(change.argmax(), change.shape)
        return int(layer), int(head)

    @classmethod
    def from_npz(cls, data: bytes, n_layer: int, n_head: int, vocab_size: int) -> Self:
        """Convert from the output of to_npz, for a model with these sizes.

        The file is untrusted; at most MAX_BYTES of memory are used. Raises SnapshotsError.
        """
        with reading(SnapshotsError, "snapshots"):
            snapshots = cls(**read_arrays("snapshots.npz", data, dtypes(cls), required_fields(cls)))
            fits = snapshots._fits(n_layer, n_head, vocab_size)
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
            and bool((self.probs >= 0).all() and (self.probs <= 1).all())  # also refuses NaN
            and self._surprisal_fits((s, n_layer, n_head, t - 1))
            and max(self.passage.max(), self.samples.max(initial=0)) < vocab_size
        )

    def _surprisal_fits(self, shape: tuple[int, ...]) -> bool:
        found = self.surprisal_without
        return found is None or (
            found.shape == shape and bool((found >= 0).all() and np.isfinite(found).all())
        )


def dtypes(cls: type) -> dict[str, type]:
    """The dtype of each array of a dataclass, from its annotations."""
    return {field.name: get_args(field.type)[1] for field in fields(cls)}


def to_npz(values: Any) -> bytes:
    """The arrays of a dataclass as the content of a .npz file; equal arrays give equal bytes."""
    file = io.BytesIO()
    arrays: dict[str, Any] = {
        name: getattr(values, name).astype(dtype)
        for name, dtype in dtypes(type(values)).items()
        if getattr(values, name) is not None
    }
    np.savez_compressed(file, **arrays, format=np.int64(FORMAT))
    return file.getvalue()


def read_arrays(
    name: str, data: bytes, dtypes: dict[str, type], required: set[str]
) -> dict[str, np.ndarray]:
    """Read the arrays of an untrusted .npz file; it may raise any exception."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if sum(member.file_size for member in members.values()) > MAX_BYTES:
            raise SnapshotsError("the arrays are too large")
        written: dict[str, int] = {}
        if number := members.pop("format", None):
            written = {"format": int(_array(_unpacked(archive, number), np.int64))}
        members = Document.of(name, written).known(members, dtypes, "array")
        if not required <= set(members):
            raise SnapshotsError("an array is missing")
        return {
            name: _array(_unpacked(archive, member), dtypes[name])
            for name, member in members.items()
        }


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    # read(n) limits the memory only for these methods; bzip2 and LZMA decompress without a limit.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SnapshotsError("an array has an unsupported compression")
    with archive.open(member) as file:
        return file.read(member.file_size)


def _array(content: bytes, dtype: type) -> np.ndarray:
    """Parse an untrusted .npy file; its size is checked against its header."""
    file = io.BytesIO(content)
    np.lib.format.read_magic(file)
    shape, is_fortran, found = np.lib.format.read_array_header_1_0(file)
    if found != dtype or is_fortran:
        raise SnapshotsError("an array has the wrong type")
    if math.prod(shape) * found.itemsize != len(content) - file.tell():
        raise SnapshotsError("an array is not as large as its header says")
    return np.frombuffer(content, found, offset=file.tell()).reshape(shape)

"""How a model came to write: what it did at some steps of its training, as one .npz file."""

import io
import math
import zipfile
from dataclasses import dataclass

import numpy as np

from microgpt.errors import MicroGPTError

# Of all arrays together, uncompressed. A checkpoint may be anyone's, and so may its zip file.
MOST_BYTES = 32 * 2**20
_DTYPES = {
    "steps": np.int64,
    "passage": np.uint16,
    "maps": np.uint8,
    "probs": np.float16,
    "samples": np.uint16,
}


class SnapshotsError(MicroGPTError):
    """A file of snapshots is malformed."""


@dataclass(frozen=True, eq=False)
class Snapshots:
    """S snapshots of a training: what the model made of one passage then, and what it wrote.

    steps: (S,) optimiser updates made, rising. passage: (T,) ids. maps: (S, L, H, T, T), 255 times
    the attention weights, rounded. probs: (S, T, V), of the character after each position.
    samples: (S, N) ids written after a newline, always with the same draws.
    """

    steps: np.ndarray
    passage: np.ndarray
    maps: np.ndarray
    probs: np.ndarray
    samples: np.ndarray

    def to_npz(self) -> bytes:
        """The file's content; the same snapshots give the same bytes."""
        file = io.BytesIO()
        arrays = {name: getattr(self, name).astype(dtype) for name, dtype in _DTYPES.items()}
        np.savez_compressed(file, **arrays)
        return file.getvalue()

    def most_changed_head(self) -> tuple[int, int]:
        """Layer and head, from 0, whose map differs most between the first and the last."""
        change = np.abs(self.maps[-1].astype(np.int16) - self.maps[0]).sum(axis=(2, 3))
        layer, head = np.unravel_index(change.argmax(), change.shape)
        return int(layer), int(head)

    @classmethod
    def from_npz(cls, data: bytes, n_layer: int, n_head: int, vocab_size: int) -> "Snapshots":
        """Read what to_npz wrote, of a model of that many layers, heads and characters.

        Raises SnapshotsError; no more than MOST_BYTES are taken.
        """
        try:
            snapshots = cls(**_read(data))
            fits = snapshots._fits(n_layer, n_head, vocab_size)
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


def _read(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a .npz file whose sizes are within bounds. Raises anything."""
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.getinfo(f"{name}.npy") for name in _DTYPES}
        if sum(member.file_size for member in members.values()) > MOST_BYTES:
            raise SnapshotsError("the arrays are too large")
        for name, member in members.items():
            # Only what the directory promises is unpacked; bzip2 and LZMA would unpack all first.
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise SnapshotsError("an array is packed in another way")
            with archive.open(member) as file:
                arrays[name] = _array(file.read(member.file_size), _DTYPES[name])
    return arrays


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

"""Snapshots of the training of an encoder–decoder, stored as one .npz file."""

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np

from microgpt.analysis.translation_maps import Kind, TranslationMaps
from microgpt.checkpoint.snapshots import SnapshotsError, dtypes, read_arrays, to_npz
from microgpt.config import EncoderDecoderConfig
from microgpt.formats import reading, required_fields
from microgpt.pairs import END
from microgpt.tokenizer import CharTokenizer


@dataclass(frozen=True, eq=False)
class PairSnapshots:
    """K snapshots of a training run, over E example pairs.

    The decoder reads the right target, so that the rows of all snapshots belong to the same
    characters: row t is the step that should write character t of the target, END included.

    steps: (K,) optimizer updates made, increasing. lengths: (E,), characters of each source.
    sources: (E, S) ids, padded with END at the end. targets: (E, T) ids. outputs: (K, E, T) ids,
    what the model wrote itself. encoder: (K, E, L, H, S, S), decoder: (K, E, L, H, T, T) and cross:
    (K, E, L, H, T, S), 255 times the attention weights, rounded. probs: (K, E, T), the probability
    of each character of the target.
    """

    # The annotations give the dtypes in the file.
    steps: Annotated[np.ndarray, np.int64]
    lengths: Annotated[np.ndarray, np.int64]
    sources: Annotated[np.ndarray, np.uint16]
    targets: Annotated[np.ndarray, np.uint16]
    outputs: Annotated[np.ndarray, np.uint16]
    encoder: Annotated[np.ndarray, np.uint8]
    decoder: Annotated[np.ndarray, np.uint8]
    cross: Annotated[np.ndarray, np.uint8]
    probs: Annotated[np.ndarray, np.float16]

    def to_npz(self) -> bytes:
        """Convert to the content of a .npz file; equal snapshots give equal bytes."""
        return to_npz(self)

    @classmethod
    def from_npz(cls, data: bytes, config: EncoderDecoderConfig) -> Self:
        """Convert from the output of to_npz, for a model of this shape.

        The file is untrusted, and read as Snapshots.from_npz does. Raises SnapshotsError.
        """
        with reading(SnapshotsError, "snapshots"):
            arrays = read_arrays("cross_snapshots.npz", data, dtypes(cls), required_fields(cls))
            snapshots = cls(**arrays)
            fits = snapshots._fits(config)
        if not fits:
            raise SnapshotsError("the checkpoint's snapshots do not fit its model")
        return snapshots

    def example_texts(self, tokenizer: CharTokenizer) -> list[str]:
        """The sources of the examples."""
        rows = zip(self.sources, self.lengths, strict=True)
        return [tokenizer.decode(ids[:length].tolist()) for ids, length in rows]

    def maps(self, tokenizer: CharTokenizer, at: int, example: int) -> TranslationMaps:
        """An example at a snapshot, by their indices; its target is the right answer."""
        texts = (self.outputs[at, example], self.targets[example])
        output, target = (tokenizer.decode(ids.tolist()).partition(END)[0] for ids in texts)
        length = int(self.lengths[example])
        steps = min(len(target) + 1, self.targets.shape[1])
        maps: dict[Kind, np.ndarray] = {
            "encoder": _with_mean(self.encoder[at, example, ..., :length, :length]),
            "decoder": _with_mean(self.decoder[at, example, ..., :steps, :steps]),
            "cross": _with_mean(self.cross[at, example, ..., :steps, :length]),
        }
        probs = self.probs[at, example, :steps].astype(np.float64)
        return TranslationMaps(output, target, probs, maps)

    def _fits(self, config: EncoderDecoderConfig) -> bool:
        (k,), (e, s), (_, t) = self.steps.shape, self.sources.shape, self.targets.shape
        heads = config.n_layer, config.n_head
        ids = self.sources, self.targets, self.outputs
        return (
            min(k, e, s, t) > 0
            and s <= config.source_size
            and t <= config.block_size
            and self.lengths.shape == (e,)
            and bool((self.lengths > 0).all() and (self.lengths <= s).all())
            and self.targets.shape == (e, t)
            and self.outputs.shape == self.probs.shape == (k, e, t)
            and self.encoder.shape == (k, e, *heads, s, s)
            and self.decoder.shape == (k, e, *heads, t, t)
            and self.cross.shape == (k, e, *heads, t, s)
            and self.steps[0] >= 0
            and bool((self.steps[1:] > self.steps[:-1]).all())
            and bool((self.probs >= 0).all() and (self.probs <= 1).all())  # also refuses NaN
            and max(int(each.max()) for each in ids) < config.vocab_size
        )


def _with_mean(levels: np.ndarray) -> np.ndarray:
    """Maps in bytes (L, H, …), layer by layer, and their mean: (L * H + 1, …)."""
    flat = levels.reshape(-1, *levels.shape[2:])
    return np.concatenate([flat, flat.mean(axis=0, keepdims=True).round().astype(np.uint8)])

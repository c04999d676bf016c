import dataclasses

import numpy as np
import pytest

from microgpt import checkpoint, dates
from microgpt.checkpoint.pair_snapshots import PairSnapshots
from microgpt.checkpoint.snapshots import SnapshotsError
from tests.pair_models import CONFIG

K, E, S, T = 3, 2, 12, 11
HEADS = CONFIG.n_layer, CONFIG.n_head


@pytest.fixture
def snapshots() -> PairSnapshots:
    draw = np.random.default_rng(0)

    def levels(*shape: int) -> np.ndarray:
        return draw.integers(256, size=shape).astype(np.uint8)

    def ids(*shape: int) -> np.ndarray:
        return draw.integers(CONFIG.vocab_size, size=shape).astype(np.uint16)

    return PairSnapshots(
        steps=np.array([0, 5, 9]),
        lengths=np.array([7, 12]),
        sources=ids(E, S),
        targets=ids(E, T),
        outputs=ids(K, E, T),
        encoder=levels(K, E, *HEADS, S, S),
        decoder=levels(K, E, *HEADS, T, T),
        cross=levels(K, E, *HEADS, T, S),
        probs=draw.random((K, E, T)).astype(np.float16),
    )


def test_snapshots_survive_a_round_trip(snapshots):
    data = snapshots.to_npz()
    again = PairSnapshots.from_npz(data, CONFIG)
    for name, array in vars(snapshots).items():
        np.testing.assert_array_equal(getattr(again, name), array)
    assert snapshots.to_npz() == data


@pytest.mark.parametrize(
    "change",
    [
        {"steps": np.array([0, 5, 5])},
        {"steps": np.array([-1, 5, 9])},
        {"lengths": np.array([0, 12])},
        {"lengths": np.array([7, 13])},
        {"sources": np.full((E, S), CONFIG.vocab_size, np.uint16)},
        {"outputs": np.zeros((K, E, T - 1), np.uint16)},
        {"cross": np.zeros((K, E, *HEADS, T, S - 1), np.uint8)},
        {"encoder": np.zeros((K, E, 1, CONFIG.n_head, S, S), np.uint8)},
        {"decoder": np.zeros((K, E, *HEADS, T, S), np.uint8)},
        {"probs": np.full((K, E, T), np.nan, np.float16)},
        {"probs": np.full((K, E, T), 1.5, np.float16)},
    ],
)
def test_snapshots_that_do_not_fit_are_refused(snapshots, change):
    data = dataclasses.replace(snapshots, **change).to_npz()
    with pytest.raises(SnapshotsError):
        PairSnapshots.from_npz(data, CONFIG)


def test_a_damaged_file_is_refused(snapshots):
    with pytest.raises(SnapshotsError, match="cannot be read"):
        PairSnapshots.from_npz(snapshots.to_npz()[:-40], CONFIG)


def test_snapshots_of_a_larger_model_are_refused(snapshots):
    small = dataclasses.replace(CONFIG, source_size=S - 1)
    with pytest.raises(SnapshotsError, match="do not fit"):
        PairSnapshots.from_npz(snapshots.to_npz(), small)


def test_an_example_of_the_snapshots_has_its_maps_and_the_right_answer(pair_checkpoint):
    loaded = checkpoint.load_pairs(pair_checkpoint)
    snapshots, tokenizer = loaded.snapshots, loaded.tokenizer
    assert snapshots.example_texts(tokenizer) == list(dates.EXAMPLES)
    for example, text in enumerate(dates.EXAMPLES):
        found = snapshots.maps(tokenizer, 1, example)
        assert found.target == dates.read(text).iso and len(found.probs) == len(found.target) + 1
        assert found.maps["encoder"].shape == (7, len(text), len(text))
        cross = snapshots.cross[1, example][..., : len(text)]
        np.testing.assert_array_equal(found.maps["cross"][4], cross[1, 1])
        mean = cross.reshape(6, *cross.shape[2:]).mean(axis=0)
        np.testing.assert_allclose(found.maps["cross"][-1], mean, atol=0.5)
    written = tokenizer.decode(snapshots.outputs[1, 0].tolist())
    assert snapshots.maps(tokenizer, 1, 0).output == written.partition("\n")[0]

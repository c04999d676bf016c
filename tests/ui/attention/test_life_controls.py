import dataclasses

import numpy as np
import pytest

from microgpt import checkpoint
from microgpt.ui.attention.life_controls import passage


@pytest.fixture
def loaded(tiny_checkpoint):
    return checkpoint.load(tiny_checkpoint)


def test_without_snapshots_there_is_no_passage(loaded):
    assert passage(dataclasses.replace(loaded, snapshots=None)) is None


def with_passage(loaded, length):
    @dataclasses.dataclass
    class Found:
        passage: np.ndarray

    return dataclasses.replace(loaded, snapshots=Found(np.zeros(length, dtype=np.int64)))


def test_a_passage_has_two_characters_and_fits_the_window(loaded):
    window = loaded.config.block_size
    character = loaded.tokenizer.characters[0]
    assert passage(with_passage(loaded, window)) == character * window
    for length in (1, window + 1):
        assert passage(with_passage(loaded, length)) is None

import numpy as np
import pytest

from microgpt import checkpoint
from microgpt.ui.cache.translation import snapshot_maps, translation_maps, translation_of
from tests.pair_checkpoint import STEPS, TOKENIZER

OFF = frozenset({(0, 1)})


@pytest.fixture(scope="module")
def loaded(pair_checkpoint):
    return checkpoint.load_pairs(pair_checkpoint)


def test_a_translation_is_computed_once_for_all_visitors(loaded, pair_checkpoint):
    again = checkpoint.load_pairs(pair_checkpoint)
    assert translation_of(loaded, "1 May", OFF) is translation_of(again, "1 May", OFF)
    assert translation_maps(loaded, "1 May") is translation_maps(again, "1 May")


def test_the_heads_that_are_off_are_part_of_the_key(loaded):
    whole, without = (translation_of(loaded, "1 May", off).logits for off in (frozenset(), OFF))
    assert whole.shape != without.shape or not np.allclose(whole, without)


def test_an_example_has_maps_at_each_snapshot(loaded):
    text = loaded.snapshots.example_texts(TOKENIZER)[1]
    found = snapshot_maps(loaded, 1)
    assert len(found) == len(STEPS)
    assert {each.maps["cross"].shape[2] for each in found} == {len(text)}

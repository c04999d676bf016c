"""The maps of a translation: in bytes with their mean, as a file, and how long a source may be."""

import dataclasses
import io

import numpy as np
import pytest

from microgpt.analysis.ablation import head_mask
from microgpt.analysis.cross_attention import translation
from microgpt.analysis.translation_maps import (
    KINDS,
    MAX_BYTES,
    MAX_SOURCE,
    attended_offset,
    changed_characters,
    longest_source,
    translation_maps,
    translation_npz,
)
from microgpt.config import EncoderDecoderConfig
from tests.pair_models import CONFIG, TOKENIZER, random_pair_model

TEXT = "3 March"


@pytest.fixture(scope="module")
def found():
    mask = head_mask(CONFIG, [(1, 2)])
    return translation(random_pair_model(), TOKENIZER, TEXT, cross_head_mask=mask)


def test_each_kind_has_the_maps_of_all_heads_and_their_mean(found):
    packed = translation_maps(found)
    steps = len(found.logits)
    assert [packed.maps[kind].shape for kind in KINDS] == [
        (7, len(TEXT), len(TEXT)),
        (7, steps, steps),
        (7, steps, len(TEXT)),
    ]
    for kind in KINDS:
        weights = getattr(found, kind)
        maps = packed.maps[kind] / 255
        for layer in range(2):
            for head in range(3):
                np.testing.assert_allclose(maps[3 * layer + head], weights[layer, head], atol=0.002)
        np.testing.assert_allclose(maps[-1], weights.mean(dim=(0, 1)), atol=0.002)


def test_the_probabilities_are_those_of_the_characters_that_were_written(found):
    packed = translation_maps(found)
    assert packed.output == found.output
    written = TOKENIZER.encode(found.output + "\n" * found.is_complete)
    expected = [found.logits[at].softmax(dim=-1)[token] for at, token in enumerate(written)]
    np.testing.assert_allclose(packed.probs, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("output", "before", "changed"),
    [
        ("2024", "2024", []),
        ("2025", "2024", [3]),
        ("20", "2024", [2]),  # the end stands where a character stood
        ("2024-", "2024", [4, 5]),
        ("", "2024", [0]),
    ],
)
def test_changed_characters(output, before, changed):
    assert changed_characters(output, before) == changed


def test_the_longest_source_is_that_of_the_model_if_its_maps_fit():
    assert longest_source(CONFIG) == CONFIG.source_size
    wide = dataclasses.replace(CONFIG, source_size=4096)
    assert longest_source(wide) == MAX_SOURCE


@pytest.mark.parametrize(
    ("layers", "heads", "target"), [(48, 64, 11), (12, 16, 4096), (48, 64, 80)]
)
def test_the_maps_of_the_longest_source_of_a_large_model_fit(layers, heads, target):
    config = EncoderDecoderConfig(
        vocab_size=9, block_size=target, n_layer=layers, n_head=heads, n_embd=64, source_size=4096
    )
    most, target = longest_source(config), min(target, MAX_SOURCE)
    size = (layers * heads + 1) * (most * (most + target) + target * target)
    assert most == 1 or size <= MAX_BYTES
    longer = most + 1
    assert (
        most == MAX_SOURCE
        or (layers * heads + 1) * (longer * (longer + target) + target * target) > MAX_BYTES
    )


def test_the_file_holds_the_maps_and_both_texts(found):
    with np.load(io.BytesIO(translation_npz(found, "ab" * 32))) as file:
        for kind in KINDS:
            np.testing.assert_array_equal(file[kind], getattr(found, kind).numpy())
        assert "".join(file["input"]) == TEXT and "".join(file["output"]) == found.output
        assert str(file["weights_sha256"]) == "ab" * 32


def test_the_offset_that_a_head_attends_to_most():
    back = np.eye(8, k=-2, dtype=np.uint8) * 204
    assert attended_offset(back, range(3), causal=True) == (2, 0.8)
    assert attended_offset(back.T, range(-2, 3), causal=False) == (-2, 0.8)
    assert attended_offset(np.eye(1, dtype=np.uint8) * 255, range(3), causal=True) is None


@pytest.mark.parametrize("causal", [False, True])
def test_uniform_attention_has_no_offset(causal):
    seen = np.tri(6) if causal else np.ones((6, 6))
    uniform = np.round(255 * seen / seen.sum(axis=1, keepdims=True)).astype(np.uint8)
    assert attended_offset(uniform, range(-2, 3), causal) is None

"""The numbers that the scrubber is given; a browser test drives its JavaScript."""

import base64
import re

import numpy as np
import pytest

from microgpt.checkpoint.snapshots import Snapshots
from microgpt.ui.components import sources
from microgpt.ui.components.scrubber import scrubber as module
from microgpt.ui.components.scrubber.scrubber import shown_snapshots
from tests.ui.contrast import THEMES, contrast, mixed, rgb
from tests.ui.pages import component, run_script, trigger

PROBS = np.array([[[0.0, 1.0, 0.0], [0.5, 0.3, 0.2]], [[1.0, 0.0, 0.0], [0.1, 0.2, 0.7]]])
MAPS = np.array([[[255, 0], [64, 191]], [[255, 0], [10, 245]]], np.uint8)


def scrubber_page():
    """A script that shows two snapshots of a model with three characters."""
    import numpy as np
    import pandas as pd
    import streamlit as st

    from microgpt.ui.components.scrubber.scrubber import scrubber
    from tests.ui.components.test_scrubber import MAPS, PROBS

    def move(step):
        st.session_state["moved"] = step

    rows = {"step": [0, 10], "val": [1.5, 0.5], "train": [1.4, 0.25], "sample": ["a\n", "a b"]}
    probs = PROBS.astype(np.float16)
    scrubber("scrubber", pd.DataFrame(rows), "a ", "\n a", probs, "Layer 1, head 2", MAPS, 1, move)


@pytest.fixture(scope="module")
def data():
    return component(run_script(scrubber_page))


def numbers(text):
    return np.frombuffer(base64.b64decode(text), np.uint8)


def test_each_snapshot_has_its_step_losses_and_sample(data):
    assert data["step"] == [0, 10]
    assert (data["val"], data["train"]) == ([1.5, 0.5], [1.4, 0.25])
    assert data["sample"] == ["a\n", "a b"]
    assert data["head"] == "Layer 1, head 2"


def test_another_step_is_passed_on(data):
    assert data["shown"] == 1
    app = trigger(run_script(scrubber_page), "step", 0)
    assert not app.exception and app.session_state["moved"] == 0
    assert "moved" not in trigger(run_script(scrubber_page), "step", 2).session_state


def test_spaces_and_line_ends_are_visible(data):
    assert (data["passage"], data["characters"]) == (["a", "␣"], ["⏎", "␣", "a"])


def test_maps_and_probabilities_are_sent_as_bytes(data):
    np.testing.assert_array_equal(numbers(data["maps"]), MAPS.ravel())
    sent = numbers(data["probs"]).reshape(PROBS.shape)
    np.testing.assert_allclose(sent / 255, PROBS, atol=0.5 / 255 + 1e-3)
    assert sent.min() == 0 and sent.max() == 255


def test_every_weight_has_a_colour(data):
    assert len(data["palette"]) == 256 and all(len(colour) == 3 for colour in data["palette"])


def zeros(count, positions, vocab_size, sample=0):
    return Snapshots(
        np.arange(count),
        np.zeros(positions, int),
        np.zeros((count, 1, 1, positions, positions), np.uint8),
        np.zeros((count, positions, vocab_size), np.float16),
        np.zeros((count, sample), int),
    )


def test_all_snapshots_are_shown_if_they_are_small():
    assert shown_snapshots(zeros(14, 147, 65, 240)) == list(range(14))


def test_large_snapshots_are_thinned_evenly_with_the_first_and_the_last():
    assert shown_snapshots(zeros(1000, 900, 65)) == [0, 333, 666, 999]


@pytest.mark.parametrize("size", [(2, 2048, 65), (2, 16, 65_536, 500_000)])
def test_snapshots_of_which_not_even_two_fit_are_not_shown(size):
    assert shown_snapshots(zeros(*size)) == []


def test_the_data_of_the_shown_snapshots_are_within_the_limit():
    found = zeros(300, 200, 65, sample=1000)
    shown = shown_snapshots(found)
    sent = found.maps[shown].size + found.probs[shown].size + 4 * found.samples[shown].size
    assert 0.9 * module.MAX_BYTES < sent <= module.MAX_BYTES


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_the_signs_of_spaces_and_newlines_are_readable(theme):
    css = sources("scrubber", "scrubber")["css"]
    share = int(re.search(r"\.sign {\s*color: color-mix\([^%]*?(\d+)%", css)[1]) / 100
    ground = rgb(theme["backgroundColor"])
    assert contrast(mixed(rgb(theme["textColor"]), ground, share), ground) >= 4.5

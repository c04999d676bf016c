"""The numbers that the life component is given; a browser test drives its JavaScript."""

import base64

import numpy as np

from microgpt.ui.components.life import life as module
from microgpt.ui.components.life.life import packed, shown_steps


def test_maps_are_packed_by_rows_up_to_the_diagonal():
    maps = np.array([[[[255, 0], [64, 191]]], [[[255, 0], [10, 245]]]], np.uint8)  # (2, 1, 2, 2)
    assert list(base64.b64decode(packed(maps))) == [255, 64, 191, 255, 10, 245]


def test_all_snapshots_are_shown_if_their_maps_are_small():
    assert shown_steps(14, heads=6, positions=140) == list(range(14))


def test_large_maps_are_thinned_evenly_with_the_first_and_the_last():
    shown = shown_steps(100, heads=16, positions=300)
    assert shown[0] == 0 and shown[-1] == 99 and len(set(np.diff(shown))) <= 2
    size = 16 * 300 * 301 // 2
    assert module.MAX_BYTES - size < len(shown) * size <= module.MAX_BYTES


def test_of_maps_of_which_not_even_two_fit_only_the_last_is_shown():
    assert shown_steps(5, heads=64, positions=1024) == [4]
    assert shown_steps(1, heads=64, positions=1024) == [0]

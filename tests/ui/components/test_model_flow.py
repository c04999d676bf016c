"""The numbers in the data of the picture of the whole model."""

import pytest

from microgpt.analysis.explanation import Number
from microgpt.ui.components.model_flow.model_flow import _number, unique_name


def test_another_text_or_position_has_another_name():
    names = {unique_name("weights", text, at) for text in ("ab", "ba") for at in (0, 1)}
    assert len(names) == 4 and unique_name("weights", "ab", 0) in names


def test_the_browser_can_ask_for_a_number_only_in_one_form():
    asked = {"kind": "score", "layer": 1, "head": 2, "index": 3}
    assert _number(asked) == Number("score", 1, 2, 3)


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "score",
        {"kind": "score", "layer": 1, "head": 2},
        {"kind": "score", "layer": 1, "head": 2, "index": 3, "more": 0},
        {"kind": "score", "layer": 1, "head": 2, "index": 3.0},
        {"kind": "score", "layer": True, "head": 2, "index": 3},
        {"kind": ["score"], "layer": 1, "head": 2, "index": 3},
    ],
)
def test_anything_else_is_no_number(asked):
    assert _number(asked) is None

"""Any value of a link or a file has a nearest allowed value."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt.ui.allowed import Numbers, OneOf, SomeOf, Switch, same

LETTERS = ("linear", "log", "row")
KINDS = {
    "whole numbers": (Numbers(1, 6, 2), [1, 2, 3, 4, 5, 6]),
    "numbers": (Numbers(0.0, 1.0, 0.5), [0.0, 0.25, 1.0]),
    "an option": (OneOf(LETTERS, "log"), LETTERS),
    "a number or a word": (OneOf([1, 2, 3, "mean"], 2), [1, 2, 3, "mean"]),
    "a step": (OneOf([0, 14, 57, 130], 130), [0, 14, 57, 130]),
    "some options": (SomeOf(LETTERS, ["log"]), [[], ["row"], ["log", "linear"]]),
    "some numbers": (SomeOf([1, 2], label=lambda n: f"H{n}"), [[], [1], [2, 1]]),
    "a switch": (Switch(True), [True, False]),
}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = SCALARS | st.lists(SCALARS) | st.dictionaries(st.text(), SCALARS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_allowed_value_stays_and_comes_back_from_a_link(kind):
    allowed, values = KINDS[kind]
    for value in [*values, allowed.default]:
        value = list(value) if isinstance(value, tuple) else value
        assert same(allowed.nearest(value), value)
        assert same(allowed.read(allowed.texts(value) or [""]), value)


@pytest.mark.parametrize("kind", KINDS)
@given(VALUES)
def test_the_nearest_of_any_value_is_allowed(kind, value):
    allowed, _ = KINDS[kind]
    nearest = allowed.nearest(value)
    assert same(allowed.nearest(nearest), nearest)
    match allowed:
        case Numbers():
            assert type(nearest) is type(allowed.default)
            assert allowed.least <= nearest <= allowed.most
        case OneOf():
            assert any(same(nearest, option) for option in allowed.options)
        case SomeOf():
            assert set(nearest) <= set(allowed.options) and len(set(nearest)) == len(nearest)
        case Switch():
            assert isinstance(nearest, bool)


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.text() | st.sampled_from(["inf", "-inf", "nan", "1e999", "1"]), min_size=1))
def test_any_text_of_a_link_can_be_read(kind, texts):
    allowed, _ = KINDS[kind]
    allowed.nearest(allowed.read(texts))


@pytest.mark.parametrize(
    ("kind", "text", "nearest"),
    [
        ("whole numbers", "inf", 6),
        ("whole numbers", "-1e400", 1),
        ("whole numbers", "3.7", 3),
        ("whole numbers", "", 2),
        ("whole numbers", "nan", 2),
        ("numbers", "7", 1.0),
        ("an option", "purple", "log"),
        ("an option", "", "log"),
        ("a number or a word", "99", 3),
        ("a number or a word", "inf", 3),
        ("a number or a word", "nan", 2),
        ("a step", "40", 57),
        ("a step", "inf", 130),
        ("some options", "purple", ["log"]),
        ("some options", "", []),
        ("a switch", "TRUE", True),
        ("a switch", "1", True),
    ],
)
def test_a_text_that_is_not_allowed_gives_the_nearest_value(kind, text, nearest):
    allowed, _ = KINDS[kind]
    assert same(allowed.nearest(allowed.read([text])), nearest)


def test_a_number_is_not_a_boolean():
    assert not same(True, 1) and same(1, 1.0) and not same(math.nan, math.nan)

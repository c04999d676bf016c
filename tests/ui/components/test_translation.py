"""The numbers that the translation component is given; a browser test drives its JavaScript."""

import pytest

from microgpt.ui.components.translation import translation as module
from microgpt.ui.components.translation.shown import Panel, Shown
from microgpt.ui.components.translation.translation import point_names, shown_steps
from tests.ui.components.translation.steps import TEXT, step
from tests.ui.pages import component, run_script, trigger


def test_points_count_from_1():
    assert point_names("output", 2) == ["output 1", "output 2"]


def test_all_steps_are_shown_if_their_maps_are_small():
    assert shown_steps([10] * 14) == list(range(14))


def test_large_maps_are_thinned_evenly_with_the_first_and_the_last():
    size = module.MAX_BYTES // 10
    shown = shown_steps([size] * 99 + [size // 2])
    assert shown[0] == 0 and shown[-1] == 99 and len(shown) == 10
    assert shown_steps([module.MAX_BYTES] * 5) == [4]
    assert shown_steps([2 * module.MAX_BYTES]) == [0]


def page(calls):
    """A page with the component; `calls` are the choices that it reports."""
    shown = Shown(
        text=TEXT,
        names=["L1 H1"],
        layers=1,
        panels={kind: Panel(kind, "", "", "") for kind in ("encoder", "decoder", "cross")},
        numbers=[0, 10],
        done=[step("2020"), step("2024", before="2020", changed=[3])],
        step=1,
        heads={"encoder": 0, "decoder": 0, "cross": 1},
        point="output 4",
        off={(0, 0)},
        without=[""],
        effect="",
        hint="",
        curves=[],
        note="",
        back="",
        file_name="picture",
    )
    module.translation(
        "translation",
        shown,
        lambda *choice: calls.append(choice),
        lambda off: calls.append(off),
        lambda: calls.append("back"),
    )


@pytest.fixture
def opened():
    calls = []
    return run_script(_run, calls), calls


def _run(calls):
    from tests.ui.components.test_translation import page

    page(calls)


def test_the_component_gets_what_is_written_before_and_after(opened):
    app, _ = opened
    data, maps = component(app), component(app, 1)
    assert data["maps"] == maps["name"] and len(maps["maps"]) == 2
    assert data["before"] == [None, ["2", "0", "2", "0", "■"]]
    assert data["written"][1]["changed"] == [3] and data["places"] == [[0, 0]]
    assert data["off"] == [[0, 0]] and data["file"] == "picture.svg"


@pytest.mark.parametrize(
    ("what", "value", "call"),
    [
        ("cross", 0, ("cross", 0)),
        ("step", 10, ("step", 10)),
        ("point", "input 5", ("point", "input 5")),
        ("point", "", ("point", "")),
        ("off", [[0, 0]], frozenset({(0, 0)})),
        ("off", [], frozenset()),
        ("back", True, "back"),
    ],
)
def test_a_choice_is_reported(opened, what, value, call):
    app, calls = opened
    trigger(app, what, value)
    assert not app.exception and calls == [call]


@pytest.mark.parametrize(
    ("what", "value"),
    [
        *[("cross", each) for each in (2, -1, "0", True, None)],
        *[("step", each) for each in (5, "10", 10.0)],
        *[("point", each) for each in ("input 6", "output 0", 1, [])],
        *[("off", each) for each in ([[1, 0]], "x", [0], None, [[0, 0, 0]])],
    ],
)
def test_a_choice_that_does_not_exist_is_ignored(opened, what, value):
    app, calls = opened
    trigger(app, what, value)
    assert not app.exception and calls == []

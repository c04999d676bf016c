"""Controls declare once where their values are kept."""

import re
from pathlib import Path

import pytest

from microgpt.config import MODEL_LIMITS
from microgpt.ui.controls import (
    Control,
    control,
    is_count,
    is_list_of,
    is_text,
    is_valid,
    saved_controls,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("check", "valid", "invalid"),
    [
        (is_text, ["", "ba"], [5, None, "\ud800", ["ba"]]),
        (is_count, [1, 4096], [0, 4097, True, 1.0, "1"]),
        (is_list_of(is_count), [[], [1, 2]], [1, [0], ["a"], (1,)]),
    ],
)
def test_a_check_accepts_only_values_of_its_type(check, valid, invalid):
    assert all(map(check, valid)) and not any(map(check, invalid))


def test_a_control_binds_its_widget_to_the_url_or_the_session():
    assert Control("up_to").widget_args == {"key": "up_to", "bind": "query-params"}
    assert Control("image", url=False).widget_args == {"key": "image", "persist_state": "session"}


def test_a_numbered_control_has_a_key_for_each_number():
    off = Control("off", is_list_of(is_count), numbered=True)
    assert off.owns(f"off_{MODEL_LIMITS['n_layer'][1]}")
    assert off.at(3).widget_args["key"] == "off_3" and off.owns("off_3")
    others = ("off", "off_", "off_0", "off_03", "off_٣", "off_100", "offs_1")
    assert not any(map(off.owns, others))


def test_a_declared_control_can_be_saved_and_checked():
    depth = control("depth", is_count, saved="test view")
    control("colour", is_text)
    assert saved_controls("test view") == [depth]
    assert is_valid("test view", "depth", 3)
    assert not is_valid("test view", "depth", "3") and not is_valid("test view", "colour", "red")


def test_a_saved_control_needs_a_check():
    with pytest.raises(ValueError, match="needs a check"):
        control("depth", saved="test view")


def test_widgets_are_bound_only_by_controls():
    """The text area alone changes its binding, with the length of its text."""
    bound = re.compile(r"""\b(bind|persist_state) ?=""")
    files = [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "microgpt/ui").rglob("*.py")]
    names = {path.name for path in files if bound.search(path.read_text(encoding="utf-8"))}
    assert names == {"text_input.py"}


def test_no_two_controls_have_the_same_key():
    """All pages share one session, so the second of two would show the value of the first."""
    declared = re.compile(r'\bcontrol\(\s*f?"([^"]+)"')
    ui = ROOT / "microgpt" / "ui"
    files = set(ui.rglob("*.py")) - {ui / "controls.py"}
    keys = [key for path in files for key in declared.findall(path.read_text(encoding="utf-8"))]
    assert len(keys) > 30 and len(keys) == len(set(keys))

"""The steps from the tabs of the Attention page; tests/ui/test_next_steps.py presses them."""

import pytest

from microgpt import checkpoint
from microgpt.analysis.attention import max_positions
from microgpt.ui.attention.controls import TEXT
from microgpt.ui.attention.steps import LIFE, MAPS, look_inside, steps_from
from microgpt.ui.attention.switchboard import switch_off
from microgpt.ui.head_choice import Choice


@pytest.fixture
def loaded(tiny_checkpoint):
    return checkpoint.load(tiny_checkpoint)


def test_look_inside_takes_the_end_of_a_text_and_says_so(loaded):
    most = max_positions(loaded.config)
    step = look_inside(loaded, "a" + "b" * most)
    assert step.link == {TEXT.key: "b" * most}
    assert f"the last {most} characters of the text" in step.about
    assert "the whole text" in look_inside(loaded, "b" * most).about


def labels(loaded, here, choice):
    return [step.label for step in steps_from(here, loaded, "ba", choice)]


def test_one_head_can_be_switched_off_and_a_mean_cannot(loaded):
    assert "Switch it off" in labels(loaded, LIFE, Choice(0, 0))
    for choice in (Choice(0, None), Choice(None, None), None):
        assert "Switch it off" not in labels(loaded, LIFE, choice)


def test_a_head_that_is_off_is_not_switched_off_again(loaded):
    switch_off(loaded.config, [(0, 0)])
    off = labels(loaded, LIFE, Choice(0, 0))
    assert "Switch it off" not in off and "See the model without it" in off
    assert "Switch it off" in labels(loaded, LIFE, Choice(0, 1))
    switch_off(loaded.config, ())
    assert "Switch it off" in labels(loaded, LIFE, Choice(0, 0))


def test_no_step_leads_to_the_tab_that_is_open(loaded):
    assert "Compare it with all heads" in labels(loaded, LIFE, Choice(0, 0))
    assert "Compare it with all heads" not in labels(loaded, MAPS, Choice(0, 0))

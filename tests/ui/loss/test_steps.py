"""The tabs of the Loss record page, and the steps from them."""

import pytest

from microgpt import checkpoint
from microgpt.hub import load_bundled
from microgpt.ui.attention.steps import LIFE
from microgpt.ui.loss.steps import BASELINES, COMPARE, CURVES, SNAPSHOTS, steps_from, tabs_of


def test_a_checkpoint_without_snapshots_and_baselines_has_two_tabs(tiny_checkpoint):
    assert tabs_of(checkpoint.load(tiny_checkpoint)) == [CURVES, COMPARE]
    assert tabs_of(load_bundled()) == [CURVES, SNAPSHOTS, BASELINES, COMPARE]


def views(here, checkpoint):
    return [step.view for step in steps_from(here, checkpoint)]


@pytest.mark.parametrize("here", [CURVES, COMPARE])
def test_a_tab_leads_to_the_others_and_to_one_head_if_its_forming_was_recorded(
    tiny_checkpoint, here
):
    others = [each for each in (CURVES, SNAPSHOTS, BASELINES, COMPARE) if each != here]
    assert views(here, load_bundled()) == [*others, LIFE]
    assert views(here, checkpoint.load(tiny_checkpoint)) == [*({CURVES, COMPARE} - {here})]

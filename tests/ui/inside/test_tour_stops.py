"""What the steps of the tour open."""

from microgpt import checkpoint
from microgpt.hub import load_bundled
from microgpt.ui.inside.tour_stops import STOPS, tour_text
from tests.ui.inside.test_tour import VIEWS


def opened(loaded):
    text = tour_text(loaded)
    steps = [stop.action(loaded, text) for stop in STOPS]
    return [(step.page, step.view) for step in steps]


def test_each_step_opens_a_view_of_the_bundled_checkpoint():
    assert opened(load_bundled()) == VIEWS


def test_a_part_is_explained_before_another_step_names_it(tiny_checkpoint):
    loaded = checkpoint.load(tiny_checkpoint)
    said = [stop.about(loaded, tour_text(loaded)) for stop in STOPS]
    first = next(at for at, text in enumerate(said) if "MLP" in text)
    assert STOPS[first].title == "The MLP and its neurons" and "(MLP)" in said[first]


def test_without_snapshots_the_training_is_shown_by_its_curves(tiny_checkpoint):
    views = opened(checkpoint.load(tiny_checkpoint))
    assert views[8][1] == "Curves" and views[:8] == VIEWS[:8] and views[9:] == VIEWS[9:]

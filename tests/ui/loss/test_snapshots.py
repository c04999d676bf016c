"""The Snapshots tab of the Loss record page."""

import base64

import numpy as np
import pytest

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.training.snapshots import stack, take_snapshot
from microgpt.ui.components.scrubber import scrubber as module
from tests.ui.pages import (
    ATTENTION,
    CURVES,
    LOSS_RECORD,
    SNAPSHOTS,
    captions,
    component,
    map_title,
    open_page,
    open_tab,
    press,
    trigger,
)


@pytest.fixture
def with_snapshots(monkeypatch, checkpoint_with_snapshots):
    """The checkpoint that the app opens."""
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(checkpoint_with_snapshots))
    return checkpoint.load(checkpoint_with_snapshots)


def open_link(app, **query):
    """Open the tab with the parameters of a link."""
    app.query_params |= {"record_view": SNAPSHOTS, **query}
    return open_page(app, LOSS_RECORD)


def shown_maps(app):
    return np.frombuffer(base64.b64decode(component(app)["maps"]), np.uint8)


def test_the_head_is_the_one_that_is_chosen_elsewhere(app, with_snapshots):
    layer, head = with_snapshots.snapshots.most_changed_head()
    open_tab(app, LOSS_RECORD, SNAPSHOTS)
    assert component(app)["head"] == f"Layer {layer + 1}, head {head + 1}"
    open_tab(app, ATTENTION, "All heads")
    trigger(app, "picked", [0, 1])
    open_tab(app, LOSS_RECORD, SNAPSHOTS)
    assert component(app)["head"] == "Layer 1, head 2"
    np.testing.assert_array_equal(shown_maps(app), with_snapshots.snapshots.maps[:, 0, 1].ravel())
    app.selectbox("layer").set_value(2).run()
    assert component(app)["head"] == "Layer 2, head 2"
    open_tab(app, ATTENTION, "All heads")
    assert map_title(app) == "Layer 2, head 2"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({"layer": "1", "head": "3"}, "Layer 1, head 3"),
        ({"snapshot_layer": "2", "snapshot_head": "3"}, "Layer 2, head 3"),
        ({"snapshot_layer": "9", "snapshot_head": "1"}, "Layer 2, head 1"),
        ({"snapshot_layer": "1", "layer": "2", "head": "3"}, "Layer 2, head 3"),
    ],
    ids=str,
)
def test_a_link_of_this_or_an_earlier_version_opens_its_head(app, with_snapshots, link, expected):
    open_link(app, **link)
    assert component(app)["head"] == expected
    assert "snapshot_layer" not in app.query_params


def test_the_step_is_in_the_link_and_the_same_on_both_pages(app, with_snapshots):
    open_link(app, step="10")
    assert component(app)["shown"] == 1
    trigger(app, "step", 0)
    assert not app.exception and component(app)["shown"] == 0
    assert app.query_params["step"] == "0"
    open_tab(app, ATTENTION, "The life of a head")
    assert component(app)["step"] == 0


def test_without_a_step_the_last_one_is_shown(app, with_snapshots):
    open_link(app)
    assert component(app)["shown"] == 2


def test_a_step_from_the_curves_opens_the_snapshots(app, monkeypatch, checkpoint_with_snapshots):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(checkpoint_with_snapshots))
    open_tab(app, LOSS_RECORD, CURVES)
    press(app, "Watch the model learn")
    assert not app.exception
    assert component(app)["step"] == [0, 10, 20]


def test_snapshots_at_steps_without_losses_are_not_shown(
    app, monkeypatch, tmp_path, model, tokenizer, loss_record, training
):
    passage = list(range(12))
    steps = (0, 15)
    snapshots = stack([take_snapshot(model, tokenizer, passage, step) for step in steps], passage)
    folder, parts = tmp_path / "snapshots", (model, tokenizer, loss_record, training)
    checkpoint.save(folder, Checkpoint(*parts, snapshots=snapshots))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    open_tab(app, LOSS_RECORD, SNAPSHOTS)
    assert "lacks some of their steps" in app.info[0].value and not app.get("bidi_component")


def test_snapshots_that_are_too_large_are_thinned(app, monkeypatch, checkpoint_with_snapshots):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(checkpoint_with_snapshots))
    snapshots = checkpoint.load(checkpoint_with_snapshots).snapshots
    each = snapshots.maps[0, 0, 0].size + snapshots.probs[0].size + 4 * snapshots.samples[0].size
    monkeypatch.setattr(module, "MAX_BYTES", 2 * each)
    open_tab(app, LOSS_RECORD, SNAPSHOTS)
    assert component(app)["step"] == [0, 20]
    assert "The page shows 2 of 3 snapshots." in captions(app)
    monkeypatch.setattr(module, "MAX_BYTES", 2 * each - 1)
    app.run()
    assert [each.value for each in app.info] == [
        "The snapshots cannot be shown: they are too large."
    ]

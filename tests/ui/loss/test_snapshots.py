"""The Snapshots tab of the Loss record page."""

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.training.snapshots import stack, take_snapshot
from microgpt.ui.components.scrubber import scrubber as module
from tests.ui.pages import CURVES, LOSS_RECORD, SNAPSHOTS, captions, component, open_tab


def test_the_controls_select_the_map_of_a_head(app, monkeypatch, checkpoint_with_snapshots):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(checkpoint_with_snapshots))
    open_tab(app, LOSS_RECORD, SNAPSHOTS)
    layer, head = checkpoint.load(checkpoint_with_snapshots).snapshots.most_changed_head()
    data = component(app)
    assert data["head"] == f"Attention of layer {layer + 1}, head {head + 1}"
    for name, value in (("layer", 2 - layer), ("head", 3 if head < 2 else 1)):
        app.number_input(f"snapshot_{name}").set_value(value).run()
        assert not app.exception
        assert f"{name} {value}" in component(app)["head"]
        before, data = data, component(app)
        assert data["maps"] != before["maps"]


def test_a_button_on_the_curves_opens_the_snapshots(app, monkeypatch, checkpoint_with_snapshots):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(checkpoint_with_snapshots))
    open_tab(app, LOSS_RECORD, CURVES)
    app.button[0].click().run()
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

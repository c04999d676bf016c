"""The snapshots of a run."""

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.training.snapshots import stack, take_snapshot
from tests.ui.shown import CURVES, SNAPSHOTS, scrubber, turn_to


def test_the_controls_select_the_map_of_a_head(app, monkeypatch, checkpoint_with_snapshots):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(checkpoint_with_snapshots))
    turn_to(app, SNAPSHOTS)
    layer, head = checkpoint.load(checkpoint_with_snapshots).snapshots.most_changed_head()
    shown = scrubber(app)
    assert shown["head"] == f"Attention of layer {layer + 1}, head {head + 1}"
    for name, value in (("layer", 2 - layer), ("head", 3 if head < 2 else 1)):
        app.number_input(f"snapshot_{name}").set_value(value).run()
        assert not app.exception
        assert f"{name} {value}" in scrubber(app)["head"]
        assert scrubber(app)["maps"] != shown["maps"]
        shown = scrubber(app)


def test_a_button_on_the_curves_opens_the_snapshots(app, monkeypatch, checkpoint_with_snapshots):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(checkpoint_with_snapshots))
    turn_to(app, CURVES)
    app.button[0].click().run()
    assert not app.exception
    assert scrubber(app)["step"] == [0, 10, 20]


def test_snapshots_at_steps_without_losses_are_not_shown(
    app, monkeypatch, tmp_path, model, tokenizer, loss_record, training
):
    passage = list(range(12))
    grown = stack([take_snapshot(model, tokenizer, passage, step) for step in (0, 15)], passage)
    folder = tmp_path / "grown"
    checkpoint.save(folder, Checkpoint(model, tokenizer, loss_record, training, snapshots=grown))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    turn_to(app, SNAPSHOTS)
    assert "lacks some of their steps" in app.info[0].value and not app.get("bidi_component")

"""The Loss record page through Streamlit's own test runner: what each control changes."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.training.snapshots import stack, take_snapshot

CURVES, SCRUB, LADDER = "Curves", "Scrub through training", "The ladder"
COMPARE, MEASURE = "Compare runs", "Measure your text"


@pytest.fixture
def app(monkeypatch, tiny_checkpoint):
    """The page on the small checkpoint."""
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
    return AppTest.from_file("../../app.py", default_timeout=60).run()


def turn_to(app, view):
    if app.title[0].value != "Loss record":
        app.switch_page("pages/loss_record.py").run()
    app.session_state["record_view"] = view
    app.run()
    assert not app.exception
    return app


def views(app):
    return [tab.label for tab in app.tabs]


def chart(app, at=0):
    return app.get("plotly_chart")[at].proto.spec


def scrubber(app):
    return json.loads(app.get("bidi_component")[0].proto.json)


def errors(app):
    return [error.value.replace("\\", "") for error in app.error]


def test_only_the_open_view_is_made(app):
    turn_to(app, CURVES)
    assert views(app) == [CURVES, COMPARE, MEASURE]
    assert app.metric and not app.multiselect and not app.text_area
    turn_to(app, COMPARE)
    assert app.multiselect and not app.metric and not app.text_area
    turn_to(app, MEASURE)
    assert app.text_area and not app.metric and not app.multiselect


def test_the_loss_chart_follows_its_controls(app):
    turn_to(app, CURVES)
    shown = chart(app)
    for change, expected in (
        (lambda: app.selectbox("over").set_value("characters"), "characters read"),
        (lambda: app.selectbox("over").set_value("training time"), "training time (s)"),
        (lambda: app.slider("smoothing").set_value(0.9), "training batch, smoothed"),
        (lambda: app.toggle("log_x").set_value(True), '"type":"log"'),
        (lambda: app.toggle("log_y").set_value(True), '"type":"log"'),
    ):
        change().run()
        assert not app.exception
        assert chart(app) != shown
        shown = chart(app)
        assert expected in shown
    assert "gradient norm" in chart(app, 1)
    turn_to(app, COMPARE)
    assert "training time (s)" in chart(app) and chart(app).count('"type":"log"') == 2


def test_the_bundled_checkpoint_stands_on_a_ladder(app, monkeypatch):
    monkeypatch.delenv("MICROGPT_CHECKPOINT")
    turn_to(app, LADDER)
    rungs = app.dataframe[0].value.set_index("model")
    assert list(rungs.index) == [
        "Uniform",
        "Unigram",
        "Bigram",
        "Attention and MLP",
        "Residual connections",
        "LayerNorm in the blocks",
        "LayerNorm before the head",
        "The original's final model",
        "This checkpoint",
    ]
    assert rungs["ours"].dropna()["Uniform"] == pytest.approx(4.1744, abs=1e-4)
    assert rungs["ours"]["This checkpoint"] < rungs["ours"]["LayerNorm before the head"]


def test_runs_are_compared_and_a_record_of_ones_own_joins_them(app, tiny_checkpoint):
    turn_to(app, COMPARE)
    assert "this checkpoint, validation" in chart(app) and "phase4, training" in chart(app)
    app.multiselect("runs").set_value(["phase1", "phase2"]).run()
    assert "phase1, validation" in chart(app) and "phase4" not in chart(app)
    differing = app.dataframe[0].value
    assert list(differing.columns) == ["this checkpoint", "phase1", "phase2"]
    assert list(differing.loc["residual"]) == ["True", "False", "True"]
    app.selectbox("over").set_value("characters").run()
    assert "characters read" in chart(app)
    for axis in ("log_x", "log_y"):
        before = chart(app)
        app.toggle(axis).set_value(True).run()
        assert chart(app).count('"type":"log"') == before.count('"type":"log"') + 1

    record = (tiny_checkpoint / "loss_record.csv").read_bytes()
    app.file_uploader("record").upload("mine.csv", record, "text/csv").run()
    assert not app.exception and not app.error
    assert "your record, validation" in chart(app)
    app.file_uploader("record").upload("mine.csv", record[:-4] + b"high\n", "text/csv").run()
    assert ["line 4" in sentence for sentence in errors(app)] == [True]
    app.file_uploader("record").upload("mine.csv", b"\xff\xfe", "text/csv").run()
    assert errors(app) == ["The file is not a loss record: it is not UTF-8 text."]
    assert "your record" not in chart(app)


def test_a_record_of_ones_own_stays_until_it_is_taken_off(app, tiny_checkpoint):
    turn_to(app, COMPARE)
    record = (tiny_checkpoint / "loss_record.csv").read_bytes()
    app.file_uploader("record").upload("my_own.csv", record, "text/csv").run()
    assert not app.button
    turn_to(turn_to(app, CURVES), COMPARE)
    assert "your record, validation" in chart(app)
    assert app.button[0].label.replace("\\", "") == "Take my_own.csv off the chart"
    app.button[0].click().run()
    assert not app.exception and "your record" not in chart(app) and not app.button


def test_a_text_is_measured_beside_the_baselines(app, monkeypatch):
    monkeypatch.delenv("MICROGPT_CHECKPOINT")
    turn_to(app, MEASURE)
    first = app.dataframe[0].value.set_index("model")
    assert list(first.index) == ["this checkpoint", "bigram", "unigram", "uniform"]
    assert list(first.iloc[:, 0]) == sorted(first.iloc[:, 0])
    app.text_area("measured_text").set_value("zq" * 300).run()
    assert any("an earlier text" in caption.value for caption in app.caption)
    app.button[-1].click().run()
    second = app.dataframe[0].value.set_index("model")
    assert second.iloc[1, 0] > first.iloc[1, 0]
    app.text_area("measured_text").set_value("€uro").run()
    assert "'€' (position 1)" in errors(app)[0]
    app.button("replace in measured_text").click().run()
    assert not app.error and app.text_area("measured_text").value == "uro"
    app.text_area("measured_text").set_value("a").run()
    assert app.button[-1].disabled


def test_a_checkpoint_without_baselines_is_measured_alone(app):
    turn_to(app, MEASURE)
    assert list(app.dataframe[0].value["model"]) == ["this checkpoint"]


def test_another_head_brings_another_map(app, monkeypatch, grown_checkpoint):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(grown_checkpoint))
    turn_to(app, SCRUB)
    layer, head = checkpoint.load(grown_checkpoint).snapshots.most_changed_head()
    shown = scrubber(app)
    assert shown["head"] == f"Where layer {layer + 1}, head {head + 1} looked"
    for name, value in (("layer", 2 - layer), ("head", 3 if head < 2 else 1)):
        app.number_input(f"snapshot_{name}").set_value(value).run()
        assert not app.exception
        assert f"{name} {value}" in scrubber(app)["head"]
        assert scrubber(app)["maps"] != shown["maps"]
        shown = scrubber(app)


def test_the_curves_lead_to_the_scrubber(app, monkeypatch, grown_checkpoint):
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(grown_checkpoint))
    turn_to(app, CURVES)
    app.button[0].click().run()
    assert not app.exception
    assert scrubber(app)["step"] == [0, 10, 20]


def test_an_evolution_of_other_steps_than_the_records_is_said_to_be(
    app, monkeypatch, tmp_path, model, tokenizer, loss_record, training
):
    passage = list(range(12))
    grown = stack([take_snapshot(model, tokenizer, passage, step) for step in (0, 15)], passage)
    folder = tmp_path / "grown"
    checkpoint.save(folder, Checkpoint(model, tokenizer, loss_record, training, snapshots=grown))
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
    turn_to(app, SCRUB)
    assert "different steps" in app.info[0].value and not app.get("bidi_component")

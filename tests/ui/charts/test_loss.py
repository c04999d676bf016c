import math

import numpy as np
import pandas as pd
import pytest

from microgpt.ui.charts import loss as loss_charts
from microgpt.ui.charts.text import distribution

NAN = float("nan")
RECORD = pd.DataFrame(
    {
        "step": [0, 5, 10],
        "tokens": [0, 320, 640],
        "seconds": [0.0, 1.5, 2.5],
        "learning_rate": [NAN, 1e-3, 1e-4],
        "grad_norm": [NAN, 2.0, 1.0],
        "batch_loss": [NAN, 3.0, 2.5],
        "train_loss": [4.0, NAN, 2.4],
        "val_loss": [4.1, NAN, 2.6],
    }
)
BEST = {"step": 10, "tokens": 640, "seconds": 2.5, "val_loss": 2.6}


def series(figure):
    return {trace.name: (list(trace.x), list(trace.y)) for trace in figure.data}


def test_the_curves_show_exactly_the_measured_losses():
    figure = loss_charts.loss_curves(RECORD, BEST, {"reference": 1.5})
    drawn = series(figure)
    assert drawn["training batch"] == ([5, 10], [3.0, 2.5])
    assert drawn["training split"] == ([0, 10], [4.0, 2.4])
    assert drawn["validation split"] == ([0, 10], [4.1, 2.6])
    assert drawn["best estimate, 2.6000"] == ([10], [2.6])
    assert [shape.y0 for shape in figure.layout.shapes] == [1.5]
    assert figure.layout.xaxis.title.text and "nats" in figure.layout.yaxis.title.text


@pytest.mark.parametrize(
    ("across", "last"), [("steps", 10), ("characters", 640), ("training time", 2.5)]
)
def test_the_curves_can_be_drawn_over_steps_characters_or_time(across, last):
    figure = loss_charts.loss_curves(RECORD, BEST, {}, across)
    assert {x[-1] for x, _ in series(figure).values()} == {last}
    details = loss_charts.training_details(RECORD, across)
    assert {x[-1] for x, _ in series(details).values()} == {last}
    assert figure.layout.xaxis.title.text == details.layout.xaxis3.title.text


def test_each_axis_can_be_logarithmic():
    for log_x in (False, True):
        for log_y in (False, True):
            layout = loss_charts.loss_curves(RECORD, BEST, {}, log_x=log_x, log_y=log_y).layout
            assert (layout.xaxis.type == "log", layout.yaxis.type == "log") == (log_x, log_y)


def test_smoothing_adds_an_exponential_moving_average():
    drawn = series(loss_charts.loss_curves(RECORD, BEST, {}, smoothing=0.5))
    assert drawn["training batch"] == ([5, 10], [3.0, 2.5])
    expected = (0.5 * 3.0 + 2.5) / 1.5
    assert drawn["training batch, smoothed"] == ([5, 10], [3.0, pytest.approx(expected)])


def test_the_hover_text_has_bits_and_perplexity():
    trace = loss_charts.loss_curves(RECORD, BEST, {}).data[2]
    assert list(trace.customdata[1]) == pytest.approx([2.6 / math.log(2), math.exp(2.6)])
    assert "bits" in trace.hovertemplate and "perplexity" in trace.hovertemplate


def test_the_details_are_the_gap_the_learning_rate_and_the_gradient_norm():
    drawn = series(loss_charts.training_details(RECORD))
    assert drawn["gap (nats per character)"] == ([0, 10], [pytest.approx(0.1), pytest.approx(0.2)])
    assert drawn["learning rate"] == ([5, 10], [1e-3, 1e-4])
    assert drawn["gradient norm"] == ([5, 10], [2.0, 1.0])


def test_a_legend_is_below_its_chart_where_the_menu_does_not_cover_it():
    models = pd.DataFrame({"model": ["one"], "ours": [1.0], "original": [NAN]})
    for figure in (
        loss_charts.loss_curves(RECORD, BEST, {}),
        loss_charts.comparison({"run": RECORD}),
        loss_charts.baselines(models),
        distribution(np.array([0.25, 0.75]), None, "ab"),
    ):
        legend = figure.layout.legend
        assert (legend.yref, legend.y, legend.yanchor) == ("container", 0, "bottom")


def test_a_model_without_a_measurement_has_no_point():
    models = pd.DataFrame(
        {"model": ["low", "middle", "high"], "ours": [4.0, 2.0, NAN], "original": [NAN, 2.1, 1.5]}
    )
    figure = loss_charts.baselines(models)
    assert series(figure) == {
        "ours": ([4.0, 2.0], ["low", "middle"]),
        "the original": ([2.1, 1.5], ["middle", "high"]),
    }
    assert list(figure.layout.yaxis.categoryarray) == ["low", "middle", "high"]


def test_a_swipe_over_a_chart_scrolls_the_page():
    models = pd.DataFrame({"model": ["one"], "ours": [1.0], "original": [NAN]})
    for figure in (
        loss_charts.loss_curves(RECORD, None, {}),
        loss_charts.training_details(RECORD),
        loss_charts.baselines(models),
    ):
        assert figure.layout.dragmode is False


def test_runs_differ_in_colour_and_splits_in_dashes():
    figure = loss_charts.comparison({"one": RECORD, "other": RECORD[:1]}, "characters")
    assert series(figure) == {
        "one, validation": ([0, 640], [4.1, 2.6]),
        "one, training": ([0, 640], [4.0, 2.4]),
        "other, validation": ([0], [4.1]),
        "other, training": ([0], [4.0]),
    }
    lines = {trace.name: (trace.line.color, trace.line.dash) for trace in figure.data}
    assert lines["one, validation"][0] == lines["one, training"][0]
    assert lines["one, validation"][0] != lines["other, validation"][0]
    assert lines["one, validation"][1] != lines["one, training"][1]


def long_record(count: int) -> pd.DataFrame:
    """A record in which every column is measured at every step."""
    steps = np.arange(count)
    losses = np.random.default_rng(0).normal(2.0, 0.3, size=(count, 3))
    return pd.DataFrame(
        {"step": steps, "tokens": 64 * steps, "seconds": steps / 9}
        | {"learning_rate": 1e-3, "grad_norm": losses[:, 0]}
        | {"batch_loss": losses[:, 0], "train_loss": losses[:, 1], "val_loss": losses[:, 2]}
    )


@pytest.mark.parametrize("log_x", [False, True])
@pytest.mark.parametrize("across", loss_charts.X_AXES)
def test_a_long_record_is_drawn_with_few_points(across, log_x):
    record = long_record(50_000)
    figures = (
        loss_charts.loss_curves(record, None, {}, across, log_x, smoothing=0.9),
        loss_charts.comparison({"one": record, "two": record}, across, log_x),
        loss_charts.training_details(record, across, log_x),
    )
    lines = [trace for figure in figures for trace in figure.data]
    assert len(lines) == 4 + 4 + 3
    column, _ = loss_charts.X_AXES[across]
    for line in lines:
        assert len(line.x) <= 2 * loss_charts.PARTS + 4
        assert (line.x[0], line.x[-1]) == (record[column].iloc[0], record[column].iloc[-1])
        assert (np.diff(line.x) > 0).all()


def test_a_line_reduced_to_few_points_keeps_its_shape():
    record = long_record(50_000)
    record.loc[777, "val_loss"], record.loc[40_000, "val_loss"] = 9.0, 0.5
    for log_x in (False, True):
        line = loss_charts.drawn(record, "step", "val_loss", log_x)
        assert {777, 40_000} <= set(line.index)
        assert line["val_loss"].agg(["min", "max"]).tolist() == [0.5, 9.0]
        assert line.equals(record.loc[line.index])
    early = loss_charts.drawn(record, "step", "val_loss", log_x=True)
    assert (early["step"] < 500).sum() > 200, "a logarithmic axis shows the first steps well"


def test_a_line_of_few_points_is_drawn_as_it_is():
    record = long_record(2 * loss_charts.PARTS)
    assert loss_charts.drawn(record, "step", "val_loss", False).equals(record)


def test_a_record_with_the_same_x_in_every_row_is_drawn():
    record = long_record(5_000).assign(tokens=0, seconds=1.0)
    for across in ("characters", "training time"):
        for log_x in (False, True):
            line = loss_charts.loss_curves(record, None, {}, across, log_x).data[0]
            assert record["batch_loss"].max() in line.y and len(line.x) <= 4


def test_a_table_shows_evenly_spaced_rows():
    record = long_record(2_500)
    shown = loss_charts.evenly_spaced(record)["step"]
    assert len(shown) == loss_charts.MAX_TABLE_ROWS
    assert (shown.iloc[0], shown.iloc[-1]) == (0, 2_499)
    assert set(shown.diff().dropna()) == {2, 3}
    few = record[:7]
    assert loss_charts.evenly_spaced(few).equals(few)
    assert loss_charts.evenly_spaced(record[:0]).empty

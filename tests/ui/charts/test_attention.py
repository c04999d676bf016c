import copy
import io
import itertools
import json

import numpy as np
import pandas as pd
import plotly.colors
import pytest
from PIL import Image

from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style

WEIGHTS = np.array([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.5, 0.123456, 0.376544]], np.float32)
TEXT = "a \n"


def pixels(*weights):
    """The overview's picture (rows, columns, RGBA) of maps side by side."""
    picture = attention_charts.attention_overview(np.stack(weights)[None])
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGBA"))


def lower_triangle(rows):
    """A (T, T) array of the rows of a chart, which end at the diagonal."""
    cells = np.full((len(rows), len(rows)), np.nan)
    for at, row in enumerate(rows):
        assert len(row) == at + 1, "masked cells are blank"
        cells[at, : at + 1] = row
    return cells


def test_copies_of_a_map_share_its_rows():
    rows = attention_charts.attention_map(WEIGHTS, TEXT).data[0].z
    assert copy.deepcopy(rows)[2] is rows[2]


def test_the_overview_has_one_pixel_per_weight_on_a_fixed_scale():
    image = pixels(WEIGHTS)
    assert image.shape == (3, 3, 4)
    ends = plotly.colors.sample_colorscale(style.ATTENTION_SCALE, [0.0, 1.0])
    low, high = (plotly.colors.unlabel_rgb(colour) for colour in ends)
    np.testing.assert_allclose(image[0, 0, :3], high, atol=1)
    faint = pixels(np.zeros((2, 2), np.float32))
    np.testing.assert_allclose(faint[1, 0, :3], low, atol=1)


def test_masked_cells_of_the_overview_are_transparent():
    alpha = pixels(WEIGHTS)[..., 3]
    assert alpha.tolist() == [[255, 0, 0], [255, 255, 0], [255, 255, 255]]


def test_the_overview_has_a_square_for_each_map():
    maps = [WEIGHTS, WEIGHTS[::-1, ::-1], np.eye(3, dtype=np.float32)]
    image = pixels(*maps)
    for at, weights in enumerate(maps):
        np.testing.assert_array_equal(image[:, 3 * at : 3 * at + 3], pixels(weights))
    rows = attention_charts.attention_overview(np.stack(maps)[:, None])
    assert Image.open(io.BytesIO(rows)).size == (3, 9)


@pytest.mark.parametrize("size", [65, 127, 128, 256])
def test_a_pixel_of_a_long_text_shows_the_largest_of_its_weights(size):
    weights = np.zeros((size, size), np.float32)
    weights[size - 1, 2] = 1
    image = pixels(weights)
    assert len(image) <= 64
    bright = np.argwhere((image[..., 3] == 255) & (image[..., 0] > 200))
    assert bright.tolist() == [[len(image) - 1, 2 // -(-size // 64)]]


def test_the_colour_scale_is_ordered_in_grey():
    colours = plotly.colors.sample_colorscale(style.ATTENTION_SCALE, np.linspace(0, 1, 64).tolist())
    grey = [np.dot(plotly.colors.unlabel_rgb(c), [0.2126, 0.7152, 0.0722]) for c in colours]
    assert all(a < b for a, b in itertools.pairwise(grey))


def test_the_map_holds_the_weights_and_blanks_masked_cells():
    heatmap = attention_charts.attention_map(WEIGHTS, TEXT).data[0]
    assert (heatmap.zmin, heatmap.zmax) == (0, 1)
    assert [list(row) for row in heatmap.z] == [[1.0], [0.25, 0.75], [0.5, 0.123, 0.377]]


def test_a_map_has_three_significant_digits_of_each_weight():
    weights = np.exp(np.random.default_rng(0).uniform(-25, 0, (64, 64))).astype(np.float32)
    weights[1:4, 0] = [0, 0.9996, 1e-30]
    heatmap = json.loads(attention_charts.attention_map(weights, "x" * 64).to_json())["data"][0]
    for row, exact in zip(heatmap["z"], weights, strict=True):
        assert [f"{w:.3g}" for w in row] == [
            f"{w:.3g}" if w > 1e-20 else "0" for w in exact[: len(row)].tolist()
        ]
        assert all(len(f"{w:g}") <= 8 and repr(w) == repr(float(f"{w:.3g}")) for w in row)
    assert heatmap["hovertemplate"].startswith("%{y} attends to %{x}: %{z:.3g}")


@pytest.mark.parametrize(
    ("scale", "last_row"),
    [
        ("linear", [0.5, 0.123456, 0.376544]),
        ("log", [1 + np.log10(w) / 3 for w in (0.5, 0.123456, 0.376544)]),
        ("row", [1, 0.123456 / 0.5, 0.376544 / 0.5]),
    ],
)
def test_shades_run_from_0_to_1_on_each_scale(scale, last_row):
    maps = np.stack([WEIGHTS, WEIGHTS[::-1]])
    shades = attention_charts.shades(maps, scale)
    assert shades.shape == maps.shape and shades.max() == 1
    assert shades.min() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(shades[0, 2], last_row, rtol=1e-5)
    np.testing.assert_array_equal(shades[1], shades[0, ::-1])


def test_the_colour_bar_is_left_out_where_no_cell_is_masked():
    one = attention_charts.attention_map(np.ones((1, 1), np.float32), "a")
    assert one.data[0].showscale is False
    assert attention_charts.attention_map(WEIGHTS, TEXT).data[0].showscale


@pytest.mark.parametrize(
    ("scale", "colours"),
    [("log", [1, 1 + np.log10(0.25) / 3, 1 + np.log10(0.75) / 3]), ("row", [1, 1 / 3, 1])],
)
def test_another_scale_changes_the_colours_but_not_the_hover_text(scale, colours):
    figure = attention_charts.attention_map(WEIGHTS, TEXT, scale)
    heatmap = figure.data[0]
    z, hover = lower_triangle(heatmap.z), lower_triangle(heatmap.customdata)
    np.testing.assert_allclose(z[np.tril_indices(2)], colours, atol=5e-4)
    np.testing.assert_allclose(hover[np.tril_indices(3)], WEIGHTS[np.tril_indices(3)], rtol=5e-3)
    assert "%{customdata:.3g}" in heatmap.hovertemplate
    assert heatmap.colorbar.title.text == attention_charts.MAP_SCALES[scale]


def test_a_weight_of_0_has_the_lowest_colour_on_a_logarithmic_map():
    z = attention_charts.attention_map(np.array([[1.0, 0.0], [1.0, 0.0]]), "ab", "log").data[0].z
    assert list(z[1]) == [1, 0]


def test_the_axes_name_characters_and_positions():
    figure = attention_charts.attention_map(WEIGHTS, TEXT)
    assert list(figure.data[0].x) == list(figure.data[0].y) == ["a (1)", "␣ (2)", "⏎ (3)"]
    assert list(figure.layout.xaxis.ticktext) == ["a", "␣", "⏎"]


def test_equal_characters_have_separate_bars_in_the_stages():
    frame = pd.DataFrame(dict.fromkeys(attention_charts.STAGES, 1.0), index=range(4))
    figure = attention_charts.stages(frame, "a )a")
    assert list(figure.data[0].x) == ["a (1)", "␣ (2)", ") (3)", "a (4)"]
    assert list(figure.layout.xaxis.ticktext) == ["a", "␣", ")", "a"]


def test_a_long_text_has_few_ticks():
    layout = attention_charts.attention_map(np.eye(256, dtype=np.float32), "x" * 256).layout
    assert list(layout.xaxis.ticktext) == [*range(25, 257, 25)], (
        "positions, because characters would overlap"
    )
    assert list(layout.xaxis.tickvals[:2]) == ["x (25)", "x (50)"]
    assert layout.yaxis.ticktext == layout.xaxis.ticktext, "both axes are alike"


def test_a_longer_text_has_wider_spaced_ticks():
    layout = attention_charts.attention_map(np.eye(1024, dtype=np.float32), "x" * 1024).layout
    assert list(layout.yaxis.ticktext) == [*range(100, 1025, 100)]


def test_a_swipe_over_a_chart_scrolls_the_page():
    assert attention_charts.attention_map(WEIGHTS, TEXT).layout.dragmode is False

"""Tables as CSV and on a page, with cells that a spreadsheet would run."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from microgpt.ui.charts.map_files import attention_csv
from microgpt.ui.charts.style import position_names
from microgpt.ui.charts.tables import for_page, to_csv

FORMULAS = [
    *('=HYPERLINK("http://a.example")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)"),
    *(" =1+1", "\t=1+1", "\n=1+1", "＝1+1", "= (3)"),
]
HARMLESS = ["a=b", "=", "-", "+", "", "-1.5", "+2e-05", "text", "1-2"]


def cells(text):
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize("cell", FORMULAS, ids=ascii)
def test_a_formula_becomes_text(cell):
    frame = pd.DataFrame({"name": [cell, "x"], "loss": [-1.5, 2.0]})
    assert cells(to_csv(frame))[1:] == [["'" + cell, "-1.5"], ["x", "2.0"]]
    assert for_page(frame)["name"].tolist() == ["\u2060" + cell, "x"]
    assert frame["name"].tolist() == [cell, "x"], "the table itself is not changed"


def test_other_cells_stay_as_they_are():
    frame = pd.DataFrame({"name": HARMLESS, "loss": np.linspace(-1, 1, len(HARMLESS))})
    assert [name for name, _ in cells(to_csv(frame))[1:]] == HARMLESS
    pd.testing.assert_frame_equal(for_page(frame), frame)


def test_a_position_is_no_formula_in_a_file_of_stages():
    frame = pd.DataFrame({"key": position_names("=a", isolate=False), "score": [1.0, 2.0]})
    assert cells(to_csv(frame))[1][0] == "'= (1)"


def test_a_map_keeps_its_characters():
    found = cells(attention_csv(np.eye(2, dtype=np.float32), "=-", {"layer": 1, "head": "mean"}))
    assert found[1] == ["1", "mean", "1", "=", "1", "=", "1"]

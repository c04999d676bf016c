import html.parser
import io
import json
import re

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import map_files

WEIGHTS = np.array([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.5, 0.123456, 0.376544]], np.float32)
TEXT = "a \n"
NAMED = {"layer": 2, "head": "mean"}


class Page(html.parser.HTMLParser):
    """The title of a page, its scripts, and the addresses that it loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sources, self.scripts, self.title, self._tag = [], [], "", ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._tag = tag
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        if self._tag == "script":
            self.scripts.append(data)
        elif self._tag == "title" and not self.title:
            self.title = data


def test_the_csv_has_a_row_for_each_query_and_visible_key():
    frame = pd.read_csv(io.StringIO(map_files.attention_csv(WEIGHTS, TEXT, NAMED)))
    assert len(frame) == 6 and list(frame.columns[:2]) == ["layer", "head"]
    last = frame.iloc[-2]
    assert tuple(last) == (2, "mean", 3, "⏎", 2, "␣", pytest.approx(0.123456))


def test_the_html_file_is_self_contained_and_draws_the_figure():
    figure = attention_charts.attention_map(WEIGHTS, TEXT)
    page = map_files.standalone_html(figure, "Layer 1 <b>", "layer-1")
    parsed = Page(page)
    assert parsed.sources == [] and parsed.title == "Layer 1 <b>"
    assert any("plotly.js v" in script for script in parsed.scripts), "the library is included"
    call = next(script for script in parsed.scripts if "Plotly.newPlot" in script)
    # The call's arguments: an id, the traces, the layout, the options.
    start = call.index("[", call.index("Plotly.newPlot"))
    traces, end = json.JSONDecoder().raw_decode(call, start)
    layout, end = json.JSONDecoder().raw_decode(call, call.index("{", end))
    options, _ = json.JSONDecoder().raw_decode(call, call.index("{", end))
    assert traces[0]["x"] == ["a (1)", "␣ (2)", "⏎ (3)"] and traces[0]["type"] == "heatmap"
    assert layout["title"]["text"] == "Layer 1 &lt;b&gt;"
    assert options["toImageButtonOptions"]["format"] == "png"
    assert figure.layout.title.text is None, "the figure itself is not changed"


def test_a_text_cannot_end_the_script():
    figure = attention_charts.attention_map(np.eye(9), "</script>")
    figure.update_xaxes(title="</script>")
    page = map_files.standalone_html(figure, "</script>", "map")
    library = len(re.findall("</script>", map_files.standalone_html(go.Figure(), "", "map")))
    assert len(re.findall("</script>", page)) == library


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (2, [(1, "a", 0.5), (3, "⏎", 0.376544), (2, "␣", 0.123456)]),
        (1, [(2, "␣", 0.75), (1, "a", 0.25)]),
        (0, [(1, "a", 1)]),
    ],
)
def test_the_table_sorts_the_keys_by_attention(query, rows):
    table = map_files.row_table(WEIGHTS, TEXT, query)
    assert list(table.columns) == ["position", "character", "attention (share)"]
    assert [tuple(row) for row in table.itertuples(index=False)] == [
        (position, character, pytest.approx(share)) for position, character, share in rows
    ]


CROSS = np.array([[0.25, 0.5, 0.25], [0.0, 0.0, 1.0]])  # two queries, three keys


def test_the_cells_of_a_map_have_both_positions_and_characters():
    cells = map_files.map_cells(CROSS, ["x", "y"], ["a", "␣", "b"], causal=False)
    assert cells["attention"].tolist() == CROSS.ravel().tolist()
    assert cells.iloc[4].tolist() == [2, "y", 2, "␣", 0.0]
    masked = map_files.map_cells(WEIGHTS, ["x", "y", "z"], ["▷", "x", "y"], causal=True)
    assert masked["key_position"].tolist() == [1, 1, 2, 1, 2, 3]


def test_a_map_as_a_table_names_its_rows_and_leaves_masked_cells_empty():
    table = map_files.map_matrix(CROSS, ["x", "y"], ["a", "a", "b"], causal=False)
    assert list(table) == ["query", "a (1)", "a (2)", "b (3)"]
    assert table["query"].tolist() == ["x (1)", "y (2)"] and table["b (3)"].tolist() == [0.25, 1.0]
    masked = map_files.map_matrix(WEIGHTS, list("xyz"), list("▷xy"), causal=True)
    assert masked["y (3)"].isna().tolist() == [True, True, False]

"""The tables of a translation and of the three maps that are shown, with their downloads."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from microgpt.analysis.attention import from_bytes
from microgpt.analysis.translation_maps import KINDS, Kind
from microgpt.ui.charts import style
from microgpt.ui.charts.map_files import map_cells, map_matrix
from microgpt.ui.charts.tables import for_page, to_csv
from microgpt.ui.components.translation.shown import Step
from microgpt.ui.download import download
from microgpt.ui.glossary import caption

_ABOUT: dict[Kind, str] = {
    "encoder": "Encoder self-attention: a row for each character of the input, and a column for "
    "each character that it looks at.",
    "decoder": "Decoder self-attention: a row for each character of the output, and a column for "
    "each character that the decoder has read. Later ones are masked.",
    "cross": "Cross-attention: a row for each character of the output, and a column for each "
    "character of the input.",
}


def translation_tables(
    text: str,
    step: Step,
    heads: Mapping[Kind, int],
    names: Sequence[str],
    npz: Callable[[], bytes],
) -> None:
    """Show the output as a table, and the map of the chosen head of each kind.

    heads: the index of each head. names: those of the heads, and of the mean. npz: makes the file
    with the maps of all heads.
    """
    number = st.column_config.NumberColumn(format="%.3f")
    maps = {kind: from_bytes(step.maps[kind][heads[kind]]) for kind in KINDS}
    labels = {
        "encoder": (style.visible(text), style.visible(text)),
        "decoder": (step.written, step.read),
        "cross": (step.written, style.visible(text)),
    }
    written = output_table(text, step, maps["cross"])
    caption("The output: a row for each character.")
    st.dataframe(for_page(written), hide_index=True, column_config={"probability": number})
    for kind in KINDS:
        caption(f"{_ABOUT[kind]} Head: {names[heads[kind]]}.")
        matrix = map_matrix(maps[kind], *labels[kind], causal=kind == "decoder")
        columns = dict.fromkeys(matrix.columns[1:], number)
        st.dataframe(for_page(matrix), hide_index=True, column_config=columns)
    cells = pd.concat(
        map_cells(maps[kind], *labels[kind], causal=kind == "decoder").assign(
            attention_kind=kind, head=names[heads[kind]]
        )
        for kind in KINDS
    )
    with st.container(horizontal=True):
        download("output.csv", partial(to_csv, written, "%.6g"), "microgpt-translation.csv")
        download("maps.csv", partial(to_csv, cells, "%.6g"), "microgpt-translation-maps.csv")
        download(
            "maps.npz",
            npz,
            "microgpt-translation.npz",
            help="The maps of all heads of the finished model, as NumPy arrays.",
        )


def output_table(text: str, step: Step, cross: np.ndarray) -> pd.DataFrame:
    """A row for each character of the output, with what it looks at most in a map (T, S)."""
    best = cross.argmax(axis=1)
    names = style.position_names(text, isolate=False)
    return pd.DataFrame(
        {
            "position": range(1, len(step.written) + 1),
            "character": step.written,
            "probability": step.probs,
            "looks most at": [names[at] for at in best],
            "attention": cross.max(axis=1),
            "changed": [at in step.changed for at in range(len(step.written))],
        }
    )

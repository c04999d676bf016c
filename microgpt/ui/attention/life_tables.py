"""The tables of the life of a head, with their downloads."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from microgpt.ui.charts import style
from microgpt.ui.charts.tables import for_page, to_csv
from microgpt.ui.components.life.life import Curve
from microgpt.ui.download import download


def text_table(
    text: str, weights: np.ndarray, surprisal: tuple[np.ndarray, np.ndarray] | None
) -> None:
    """Show a row for each character: the query's attention to it, and its surprisal (T - 1,)."""
    frame = pd.DataFrame(
        {
            "position": range(1, len(text) + 1),
            "character": style.visible(text),
            # Later characters have none.
            "attention of the query": pd.Series(weights).reindex(range(len(text))),
        }
    )
    if surprisal is not None:
        frame["surprisal (nats)"] = [np.nan, *surprisal[0]]
        frame["surprisal without (nats)"] = [np.nan, *surprisal[1]]
    number = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(
        for_page(frame), hide_index=True, column_config=dict.fromkeys(frame.columns[2:], number)
    )
    download("text.csv", partial(to_csv, frame, "%.6g"), "microgpt-head-on-text.csv")


def steps_table(steps: Sequence[int], curves: Sequence[Curve]) -> None:
    """Show a row for each step of the training, with the values of all curves."""
    columns = {f"{each.title} ({each.unit})" if each.unit else each.title: each for each in curves}
    frame = pd.DataFrame({"step": steps, **{name: of.values for name, of in columns.items()}})
    number = st.column_config.NumberColumn(format="%.4g")
    st.dataframe(frame, hide_index=True, column_config=dict.fromkeys(columns, number))
    download("training.csv", partial(to_csv, frame, "%.6g"), "microgpt-head-in-training.csv")

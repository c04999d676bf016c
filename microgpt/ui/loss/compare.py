"""Several records on one chart: this checkpoint's, those kept with the code, one of a visitor's."""

from typing import Any

import pandas as pd
import streamlit as st

from microgpt.config import GPTConfig
from microgpt.hub import Loaded
from microgpt.loss_record import LossRecordError, LossRow, from_csv
from microgpt.provenance import Training
from microgpt.ui import cache, loss_charts
from microgpt.ui.charts import menu
from microgpt.ui.loss.curves import record_frame
from microgpt.ui.text import plain

THIS, YOURS = "this checkpoint", "your record"


def compare_view(loaded: Loaded) -> None:
    """Choose runs, see their losses on one chart and what differs in their settings."""
    st.subheader("Compare runs", anchor=False)
    runs = {run.name: run for run in cache.kept_runs()}
    chosen = st.multiselect(
        "Runs beside this checkpoint",
        list(runs),
        list(runs)[-1:],
        key="runs",
        bind="query-params",
        help="Kept with the code: the small models that the original grew through.",
    )
    uploaded = st.file_uploader(
        "Add a record of yours", type="csv", key="record", max_upload_size=16
    )
    records = {THIS: loaded.checkpoint.loss_record}
    records |= {name: runs[name].loss_record for name in chosen}
    with st.container():
        if uploaded is not None and (rows := _read(uploaded.getvalue())):
            records[YOURS] = rows
    across = st.segmented_control(
        "Compare over",
        list(loss_charts.ACROSS),
        default="steps",
        required=True,
        key="compare_over",
        bind="query-params",
    )
    frames = {name: record_frame(rows) for name, rows in records.items()}
    st.plotly_chart(
        loss_charts.compared(frames, across),
        height=420,
        config=menu("microgpt-runs"),
        alt="Losses of several runs",
    )
    configs = {THIS: _settings(loaded.checkpoint.config, loaded.checkpoint.training)}
    configs |= {name: _settings(runs[name].config, runs[name].training) for name in chosen}
    if differing := _differences(configs):
        st.caption("What differs in their settings; a setting that all share is left out.")
        st.dataframe(pd.DataFrame(differing, index=list(configs)).T)
    columns = {name: frame.assign(run=name) for name, frame in frames.items()}
    st.download_button(
        "runs.csv",
        pd.concat(columns.values()).to_csv(index=False),
        "runs.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _read(data: bytes) -> list[LossRow] | None:
    try:
        return from_csv(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        st.error("The file is not a loss record: it is not UTF-8 text.")
    except LossRecordError as error:
        st.error(plain(f"The file cannot be drawn: {error}."))
    return None


def _settings(config: GPTConfig, training: Training) -> dict[str, Any]:
    return {**config.to_dict(), **training.config.to_dict(), "hardware": training.hardware}


def _differences(configs: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """The settings that are not the same in all, each with every run's value as text."""
    names = next(iter(configs.values()))
    values = {name: [str(config[name]) for config in configs.values()] for name in names}
    return {name: each for name, each in values.items() if len(set(each)) > 1}

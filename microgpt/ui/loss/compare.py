"""The Compare runs tab: loss records of the checkpoint, of runs in assets/ and of a visitor."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from microgpt.checkpoint import FILES, LOSS_RECORD, MIB, AnyCheckpoint
from microgpt.checkpoint.loss_record import LossRecordError, by_column, from_csv
from microgpt.checkpoint.provenance import Training
from microgpt.config import GPTConfig
from microgpt.formats import FormatError, decode
from microgpt.ui.allowed import SomeOf
from microgpt.ui.cache.checkpoints import bundled_runs
from microgpt.ui.charts import loss as loss_charts
from microgpt.ui.charts.style import isolated, menu
from microgpt.ui.charts.tables import for_page, to_csv
from microgpt.ui.controls import control
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.loss.curves import axis_controls
from microgpt.ui.loss.steps import COMPARE, steps_from
from microgpt.ui.next_steps import next_steps
from microgpt.ui.saved_file import content_of
from microgpt.ui.text import escaped

RUNS = control("runs")
_MAX_MIB = FILES[LOSS_RECORD] // MIB
THIS, YOURS = "this checkpoint", "your record"


def compare_view(checkpoint: AnyCheckpoint) -> None:
    """Show the losses of several runs on one chart, and the settings in which they differ."""
    runs = {run.title: run for run in bundled_runs()}
    chosen = st.multiselect(
        "Compare this checkpoint with",
        list(runs),
        list(runs)[-1:],
        **RUNS.args(SomeOf(list(runs), list(runs)[-1:])),
        help="Small models 1 to 4 came before the original's final model; each adds one idea. The "
        "full models with a seed differ only in their random numbers. The one with less training "
        "read a sixth as many characters.",
    )
    records = {THIS: checkpoint.loss_columns}
    records |= {name: by_column(runs[name].loss_record) for name in chosen}
    with st.container(key="axes", horizontal=True, vertical_alignment="bottom"):
        x_axis, log_x, log_y = axis_controls()
    chart = st.container()  # above the upload, which adds a record to it
    if columns := _own_record():
        records[YOURS] = columns
    frames = {name: pd.DataFrame(columns) for name, columns in records.items()}
    with chart:
        st.plotly_chart(
            loss_charts.comparison(frames, x_axis, log_x, log_y),
            height=400,
            config=menu("microgpt-runs"),
            alt="Losses of several runs",
        )
        caption(
            "Each run has its own colour. Solid: validation split. Dotted: training split. To "
            "compare runs with different batch sizes, choose characters or training time as the "
            "x-axis."
        )
    configs = {THIS: _settings(checkpoint.config, checkpoint.training)}
    configs |= {name: _settings(runs[name].config, runs[name].training) for name in chosen}
    if differing := _differences(configs):
        caption("The settings in which these runs differ.")
        setting = st.column_config.TextColumn("setting", width=130)
        table = pd.DataFrame(differing, index=list(configs)).T
        st.dataframe(for_page(table), height="content", column_config={"_index": setting})
    tables = [frame.assign(run=name) for name, frame in frames.items()]
    download("runs.csv", lambda: to_csv(pd.concat(tables)), "runs.csv")
    next_steps(*steps_from(COMPARE, checkpoint))


def titles_of(names: Iterable[str]) -> list[str]:
    """The titles of runs; a link of an earlier version has the names of their folders."""
    titles = {run.name: run.title for run in bundled_runs()}
    return [titles.get(name, name) for name in names]


def _own_record() -> dict[str, np.ndarray] | None:
    """Show an upload and return the columns of the loss record, which the session keeps."""

    def keep() -> None:
        file = st.session_state["record"]
        st.session_state[YOURS] = file and (file.name, _read(file))

    uploaded = st.file_uploader(
        "Add your own loss record",
        type="csv",
        key="record",
        max_upload_size=_MAX_MIB,
        on_change=keep,
        help="A loss_record.csv, which training writes. Other visitors do not see it.",
    )
    with st.container():
        if not (kept := st.session_state.get(YOURS)):
            return None
        name, columns = kept
        if uploaded is None:  # the uploader loses its file while another tab is open
            st.button(
                f"Remove {isolated(escaped(name))} from the chart",
                icon=":material/close:",
                on_click=st.session_state.pop,
                args=(YOURS,),
            )
        if isinstance(columns, str):
            st.error(escaped(columns))
            return None
        return columns


def _read(file: UploadedFile) -> dict[str, np.ndarray] | str:
    """The columns of a loss record, or a sentence that says why it cannot be used."""
    try:
        data = content_of(file, "A loss record", _MAX_MIB)
        rows = from_csv(decode("The loss record", data, "utf-8-sig"))
        if all(row.train_loss is None and row.val_loss is None for row in rows):
            raise LossRecordError("it holds no training loss and no validation loss")
        return by_column(rows)
    except FormatError as error:
        return f"{error}."
    except LossRecordError as error:
        return f"The loss record cannot be used: {error}."


def _settings(config: GPTConfig, training: Training) -> dict[str, Any]:
    if training.imported:  # its training settings are not known
        return config.to_dict()
    return {**config.to_dict(), **training.config.to_dict(), "hardware": training.hardware}


def _differences(configs: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """The settings in which the runs differ, each with its value in every run, as text.

    The settings are those of the first run. Another kind of model may lack some of them.
    """
    names = next(iter(configs.values()))
    values = {name: [str(config.get(name, "–")) for config in configs.values()] for name in names}
    return {name: each for name, each in values.items() if len(set(each)) > 1}

"""The Snapshots tab: samples, attention and predictions at several steps of the training."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.ui.allowed import Numbers
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.components.scrubber.scrubber import scrubber, shown_snapshots
from microgpt.ui.controls import CONTROL_WIDTH, control
from microgpt.ui.download import download

TAB = control("record_view")
SNAPSHOTS = "Snapshots"  # the name of this tab
_CSV_COLUMNS = {"val": "validation loss (nats)", "train": "training loss (nats)"}
_LAYER, _HEAD = control("snapshot_layer"), control("snapshot_head")


def snapshots_view(checkpoint: Checkpoint) -> None:
    """Show the snapshots with a slider, for a checkpoint that has them."""
    snapshots = _snapshots(checkpoint)
    shown = shown_snapshots(snapshots)
    if not shown:
        st.info("The snapshots cannot be shown: they are too large.")
        return
    if not _measured(checkpoint).keys() >= set(snapshots.steps.tolist()):
        st.info("The snapshots cannot be shown: the loss record lacks some of their steps.")
        return
    st.caption(
        "A snapshot shows the model at one step of its training. Press ▶ or move the slider to "
        "watch the model learn."
    )
    if len(shown) < len(snapshots.steps):
        st.caption(f"The page shows {len(shown)} of {len(snapshots.steps)} snapshots.")
    above = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer, head = _choice(checkpoint, snapshots)
        _downloads(checkpoint)
    with above:
        scrubber(
            "scrubber",
            _table(checkpoint, shown),
            checkpoint.tokenizer.decode(snapshots.passage),
            checkpoint.tokenizer.characters,
            snapshots.probs[shown],
            f"Attention of layer {layer}, head {head}",
            snapshots.maps[shown, layer - 1, head - 1],
        )


def _snapshots(checkpoint: Checkpoint) -> Snapshots:
    assert checkpoint.snapshots is not None  # else the page has no such tab
    return checkpoint.snapshots


def open_snapshots() -> None:
    """Open this tab. For a callback."""
    TAB.set(SNAPSHOTS)


def _choice(checkpoint: Checkpoint, snapshots: Snapshots) -> tuple[int, int]:
    """Show the controls of the layer and head and return both, from 1."""
    numbers = []
    for label, of, most, default in zip(
        ("Layer", "Head"),
        (_LAYER, _HEAD),
        (checkpoint.config.n_layer, checkpoint.config.n_head),
        snapshots.most_changed_head(),
        strict=True,
    ):
        of.follow_default(default + 1)
        numbers.append(
            st.number_input(
                label,
                1,
                most,
                default + 1,
                **of.args(Numbers(1, most, default + 1)),
                width=CONTROL_WIDTH,
                help="The head whose map is shown; by default the one whose map changed most.",
            )
        )
    return numbers[0], numbers[1]


def _downloads(checkpoint: Checkpoint) -> None:
    def table(of: Checkpoint) -> pd.DataFrame:
        return _table(of, range(len(_snapshots(of).steps)))

    download(
        "samples.txt",
        lambda of: _as_text(table(of)),
        "samples.txt",
        "The samples as plain text.",
        of=checkpoint,
    )
    download(
        "samples.csv",
        lambda of: to_csv(table(of).rename(columns=_CSV_COLUMNS)),
        "samples.csv",
        "The samples as a table.",
        of=checkpoint,
    )
    download(
        "snapshots.npz",
        lambda of: _snapshots(of).to_npz(),
        "snapshots.npz",
        "All maps, probabilities and samples, for NumPy.",
        of=checkpoint,
    )


def _as_text(table: pd.DataFrame) -> str:
    return "\n\n".join(
        f"== step {row.step:,}, validation loss {row.val:.4f} nats per character ==\n\n{row.sample}"
        for row in table.itertuples()
    )


def _measured(checkpoint: Checkpoint) -> dict[int, LossRow]:
    """The rows of the loss record with both losses, by step."""
    return {
        row.step: row
        for row in checkpoint.loss_record
        if row.val_loss is not None and row.train_loss is not None
    }


def _table(checkpoint: Checkpoint, indices: Sequence[int]) -> pd.DataFrame:
    """One row for each of these snapshots: step, val, train, sample."""
    measured, snapshots = _measured(checkpoint), _snapshots(checkpoint)
    rows = [measured[step] for step in snapshots.steps[indices].tolist()]
    return pd.DataFrame(
        {
            "step": [row.step for row in rows],
            "val": [row.val_loss for row in rows],
            "train": [row.train_loss for row in rows],
            "sample": [checkpoint.tokenizer.decode(each) for each in snapshots.samples[indices]],
        }
    )

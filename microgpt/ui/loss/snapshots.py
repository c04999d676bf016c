"""The Snapshots tab: samples, attention and predictions at several steps of the training."""

import pandas as pd
import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.ui.components.scrubber.scrubber import scrubber
from microgpt.ui.controls import CONTROL_WIDTH, control
from microgpt.ui.download import download

TAB = control("record_view")
SNAPSHOTS = "Snapshots"  # the name of this tab
_CSV_COLUMNS = {"val": "validation loss (nats)", "train": "training loss (nats)"}
_LAYER, _HEAD = control("snapshot_layer"), control("snapshot_head")


def snapshots_view(checkpoint: Checkpoint) -> None:
    """Show the snapshots with a slider, for a checkpoint that has them."""
    snapshots = checkpoint.snapshots
    assert snapshots is not None
    table = _table(checkpoint, snapshots)
    if table is None:
        st.info("The snapshots cannot be shown: the loss record lacks some of their steps.")
        return
    st.caption(
        "A snapshot shows the model at one step of its training. Press ▶ or move the slider to "
        "watch the model learn."
    )
    above = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer, head = _choice(checkpoint, snapshots)
        _downloads(table, snapshots)
    with above:
        scrubber(
            "scrubber",
            table,
            checkpoint.tokenizer.decode(snapshots.passage),
            checkpoint.tokenizer.characters,
            snapshots.probs,
            f"Attention of layer {layer}, head {head}",
            snapshots.maps[:, layer - 1, head - 1],
        )


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
        of.limit_to(most)
        numbers.append(
            st.number_input(
                label,
                1,
                most,
                default + 1,
                **of.widget_args,
                width=CONTROL_WIDTH,
                help="The head whose map is shown; by default the one whose map changed most.",
            )
        )
    return numbers[0], numbers[1]


def _downloads(table: pd.DataFrame, snapshots: Snapshots) -> None:
    download("samples.txt", lambda: _as_text(table), "samples.txt", "The samples as plain text.")
    download(
        "samples.csv",
        lambda: table.rename(columns=_CSV_COLUMNS).to_csv(index=False),
        "samples.csv",
        "The samples as a table.",
    )
    name = "snapshots.npz"
    download(name, snapshots.to_npz, name, "All maps, probabilities and samples, for NumPy.")


def _as_text(table: pd.DataFrame) -> str:
    return "\n\n".join(
        f"== step {row.step:,}, validation loss {row.val:.4f} nats per character ==\n\n{row.sample}"
        for row in table.itertuples()
    )


def _table(checkpoint: Checkpoint, snapshots: Snapshots) -> pd.DataFrame | None:
    """One row for each snapshot: step, val, train, sample. None if the record lacks a step."""
    measured: dict[int, LossRow] = {
        row.step: row
        for row in checkpoint.loss_record
        if row.val_loss is not None and row.train_loss is not None
    }
    steps = snapshots.steps.tolist()
    if not measured.keys() >= set(steps):
        return None
    return pd.DataFrame(
        {
            "step": steps,
            "val": [measured[step].val_loss for step in steps],
            "train": [measured[step].train_loss for step in steps],
            "sample": [checkpoint.tokenizer.decode(each) for each in snapshots.samples],
        }
    )

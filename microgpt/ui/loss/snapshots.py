"""The Snapshots tab: samples, attention and predictions at several steps of the training."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.ui.attention.steps import see_map
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.components.scrubber.scrubber import scrubber, shown_snapshots
from microgpt.ui.controls import keep_values
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.head_choice import HEAD, LAYER, STEP, one_head, step_control, use_old_link
from microgpt.ui.loss.steps import SNAPSHOTS, TAB, steps_from
from microgpt.ui.next_steps import next_steps

_CSV_COLUMNS = {
    "val": "validation loss (nats per character)",
    "train": "training loss (nats per character)",
}


def snapshots_view(checkpoint: Checkpoint) -> None:
    """Show the snapshots with a slider, for a checkpoint that has them."""
    snapshots = _snapshots(checkpoint)
    shown, count = shown_snapshots(snapshots), len(snapshots.steps)
    if not shown:
        st.info("The snapshots cannot be shown: they are too large.")
        return
    if not _measured(checkpoint).keys() >= set(snapshots.steps.tolist()):
        st.info("The snapshots cannot be shown: the loss record lacks some of their steps.")
        return
    keep_values("Loss record", TAB, (LAYER, HEAD, STEP))
    use_old_link("snapshot_layer", "snapshot_head")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        choice = one_head(checkpoint)
    steps = snapshots.steps[shown].tolist()
    with st.container(key="hidden_step"):  # it keeps the step in the link
        step = step_control(steps)
    scrubber(
        "scrubber",
        _table(checkpoint, shown),
        checkpoint.tokenizer.decode(snapshots.passage),
        checkpoint.tokenizer.characters,
        snapshots.probs[shown],
        choice.title,
        snapshots.maps[shown, choice.layer, choice.head],
        step,
        lambda at: STEP.choose(steps[at]),
    )
    caption(
        "A snapshot shows the model at one step of its training. Press ▶ or move the slider to "
        "watch the model learn."
        + (f" The page shows {len(shown)} of {count} snapshots." if len(shown) < count else "")
    )
    _downloads(checkpoint)
    passage = checkpoint.tokenizer.decode(snapshots.passage)
    next_steps(see_map(passage, choice), *steps_from(SNAPSHOTS, checkpoint))


def _snapshots(checkpoint: Checkpoint) -> Snapshots:
    assert checkpoint.snapshots is not None  # else the page has no such tab
    return checkpoint.snapshots


def _downloads(checkpoint: Checkpoint) -> None:
    """Show the downloads of the samples and of all snapshots."""

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

"""What the model wrote, attended to and predicted at the snapshots of its training run."""

import pandas as pd
import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.ui.components.scrubber.scrubber import scrubber
from microgpt.ui.controls import CONTROL_WIDTH, control
from microgpt.ui.download import download

TAB = control("record_view")
SNAPSHOTS = "Scrub through training"  # the name of this tab
_LAYER, _HEAD = control("snapshot_layer"), control("snapshot_head")


def snapshots_view(checkpoint: Checkpoint) -> None:
    """The snapshots with a slider, for a checkpoint that has them."""
    kept = checkpoint.snapshots
    assert kept is not None
    table = _table(checkpoint, kept)
    if table is None:
        st.info("The loss record and the snapshots of this checkpoint are of different steps.")
        return
    st.caption(
        "The same model at snapshots of its training, from its first random weights to those you "
        "have loaded. Press play, or move the slider; its arrow keys and the curve work too."
    )
    place = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer, head = _choice(checkpoint, kept)
        _downloads(table, kept)
    with place:
        scrubber(
            "scrubber",
            table,
            checkpoint.tokenizer.decode(kept.passage),
            checkpoint.tokenizer.characters,
            kept.probs,
            f"Where layer {layer}, head {head} looked",
            kept.maps[:, layer - 1, head - 1],
        )


def open_snapshots() -> None:
    """Open this tab, in a button's callback."""
    TAB.choose(SNAPSHOTS)


def _choice(checkpoint: Checkpoint, kept: Snapshots) -> tuple[int, int]:
    """The layer and the head whose map is shown, from 1; at first the one that learned most."""
    numbers = []
    for name, place, most, default in zip(
        ("Layer", "Head"),
        (_LAYER, _HEAD),
        (checkpoint.config.n_layer, checkpoint.config.n_head),
        kept.most_changed_head(),
        strict=True,
    ):
        place.follow_default(default + 1)
        place.keep_within(most)
        numbers.append(
            st.number_input(
                name,
                1,
                most,
                default + 1,
                **place.bound,
                width=CONTROL_WIDTH,
                help="Whose map is shown: at first the head whose map changed most.",
            )
        )
    return numbers[0], numbers[1]


def _downloads(table: pd.DataFrame, kept: Snapshots) -> None:
    download("samples.txt", lambda: _as_text(table), "samples.txt", "What it wrote, to read.")
    download(
        "samples.csv",
        lambda: table.to_csv(index=False),
        "samples.csv",
        "The same, as a table.",
    )
    name = "snapshots.npz"
    download(name, kept.to_npz, name, "All maps, probabilities and texts, for NumPy.")


def _as_text(table: pd.DataFrame) -> str:
    return "\n\n".join(
        f"== step {row.step:,}, validation loss {row.val:.4f} nats per character ==\n\n{row.sample}"
        for row in table.itertuples()
    )


def _table(checkpoint: Checkpoint, kept: Snapshots) -> pd.DataFrame | None:
    """A row a snapshot: step, val, train, sample; None where the record lacks its losses."""
    measured: dict[int, LossRow] = {
        row.step: row
        for row in checkpoint.loss_record
        if row.val_loss is not None and row.train_loss is not None
    }
    steps = kept.steps.tolist()
    if not measured.keys() >= set(steps):
        return None
    return pd.DataFrame(
        {
            "step": steps,
            "val": [measured[step].val_loss for step in steps],
            "train": [measured[step].train_loss for step in steps],
            "sample": [checkpoint.tokenizer.decode(each) for each in kept.samples],
        }
    )

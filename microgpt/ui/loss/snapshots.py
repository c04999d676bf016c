"""Scrub through training: what the model wrote, looked at and expected at snapshots of its run."""

import base64
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.ui.charts import style
from microgpt.ui.widgets import CONTROL_WIDTH, follow_default, keep_within

VIEWS, SCRUB = "record_view", "Scrub through training"  # the page's tabs, and this one
_FILES = Path(__file__).parents[1] / "components" / "scrubber"
SCRUBBER = st.components.v2.component(
    "microgpt.scrubber",
    html=(_FILES / "scrubber.html").read_text(encoding="utf-8"),
    js=(_FILES / "scrubber.js").read_text(encoding="utf-8"),
    css=(_FILES / "scrubber.css").read_text(encoding="utf-8"),
)


def snapshots_view(checkpoint: Checkpoint) -> None:
    """The scrubber, for a checkpoint that kept the snapshots of its run."""
    kept = checkpoint.snapshots
    table = _table(checkpoint, kept)
    if table is None:
        st.info("The loss record and the snapshots of this checkpoint are of different steps.")
        return
    st.caption(
        "The same model at snapshots of its training, from its first random weights to those you "
        "have loaded. Press play, or move the slider; its arrow keys and the curve work too."
    )
    scrubber = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer, head = _choice(checkpoint, kept)
        _downloads(table, kept)
    decode = checkpoint.tokenizer.decode
    with scrubber:
        SCRUBBER(
            key="evolution",
            data={
                **table.to_dict("list"),
                "passage": style.visible(decode(kept.passage)),
                "characters": style.visible(checkpoint.tokenizer.characters),
                "probs": _packed(255 * kept.probs.astype(np.float32)),
                "palette": style.palette(),
                "head": f"Where layer {layer}, head {head} looked",
                "maps": _packed(kept.maps[:, layer - 1, head - 1]),
            },
        )


def open_scrubber() -> None:
    """Turn to this view, from a button's callback."""
    st.session_state[VIEWS] = SCRUB


def _choice(checkpoint: Checkpoint, kept: Snapshots) -> tuple[int, int]:
    """The layer and the head whose map is shown, from 1; at first the one that learned most."""
    numbers = []
    for name, most, default in zip(
        ("Layer", "Head"),
        (checkpoint.config.n_layer, checkpoint.config.n_head),
        kept.most_changed_head(),
        strict=True,
    ):
        key = f"snapshot_{name.lower()}"
        follow_default(key, default + 1)
        keep_within(key, most)
        numbers.append(
            st.number_input(
                name,
                1,
                most,
                default + 1,
                key=key,
                bind="query-params",
                width=CONTROL_WIDTH,
                help="Whose map is shown: at first the head whose map changed most.",
            )
        )
    return numbers[0], numbers[1]


def _downloads(table: pd.DataFrame, kept: Snapshots) -> None:
    for name, content, kind, about in (
        ("samples.txt", lambda: _as_text(table), "text/plain", "What it wrote, to read."),
        ("samples.csv", lambda: table.to_csv(index=False), "text/csv", "The same, as a table."),
        (
            "evolution.npz",
            kept.to_npz,
            "application/octet-stream",
            "All maps, probabilities and texts, for NumPy.",
        ),
    ):
        st.download_button(
            name, content, name, kind, icon=":material/download:", on_click="ignore", help=about
        )


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


def _packed(array: np.ndarray) -> str:
    """Numbers from 0 to 255, a byte each, in base 64."""
    return base64.b64encode(np.round(array).astype(np.uint8).tobytes()).decode()

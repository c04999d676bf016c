"""Scrub through training: what the model wrote, looked at and expected at moments of its run."""

import base64
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.evolution import Evolution
from microgpt.hub import Loaded
from microgpt.loss_record import LossRow
from microgpt.ui import charts
from microgpt.ui.widgets import CONTROL_WIDTH, follow_default, keep_within

VIEWS, SCRUB = "record_view", "Scrub through training"  # the page's tabs, and this one
SCRUBBER = st.components.v2.component(
    "microgpt.evolution",
    html=Path(__file__).with_suffix(".html").read_text(encoding="utf-8"),
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
    css=Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
)


def evolution_view(loaded: Loaded) -> None:
    """The scrubber, for a checkpoint that kept the moments of its run."""
    checkpoint, evolution = loaded.checkpoint, loaded.checkpoint.evolution
    moments = _moments(checkpoint, evolution)
    if moments is None:
        st.info("The loss record and the evolution of this checkpoint are of different steps.")
        return
    st.caption(
        "The same model at moments of its training, from its first random weights to those you "
        "have loaded. Press play, or move the slider; its arrow keys and the curve work too."
    )
    scrubber = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer, head = _choice(checkpoint, evolution)
        _downloads(moments, evolution)
    decode = checkpoint.tokenizer.decode
    with scrubber:
        SCRUBBER(
            key="evolution",
            data={
                **moments.to_dict("list"),
                "passage": charts.visible(decode(evolution.passage)),
                "characters": charts.visible(checkpoint.tokenizer.characters),
                "probs": _packed(255 * evolution.probs.astype(np.float32)),
                "palette": charts.palette(),
                "head": f"Where layer {layer}, head {head} looked",
                "maps": _packed(evolution.maps[:, layer - 1, head - 1]),
            },
        )


def open_scrubber() -> None:
    """Turn to this view, from a button's callback."""
    st.session_state[VIEWS] = SCRUB


def _choice(checkpoint: Checkpoint, evolution: Evolution) -> tuple[int, int]:
    """The layer and the head whose map is shown, from 1; at first the one that learned most."""
    numbers = []
    for name, most, default in zip(
        ("Layer", "Head"),
        (checkpoint.config.n_layer, checkpoint.config.n_head),
        evolution.most_changed_head(),
        strict=True,
    ):
        key = f"evolution_{name.lower()}"
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


def _downloads(moments: pd.DataFrame, evolution: Evolution) -> None:
    for name, content, kind, about in (
        ("samples.txt", lambda: _as_text(moments), "text/plain", "What it wrote, to read."),
        ("samples.csv", lambda: moments.to_csv(index=False), "text/csv", "The same, as a table."),
        (
            "evolution.npz",
            evolution.to_npz,
            "application/octet-stream",
            "All maps, probabilities and texts, for NumPy.",
        ),
    ):
        st.download_button(
            name, content, name, kind, icon=":material/download:", on_click="ignore", help=about
        )


def _as_text(moments: pd.DataFrame) -> str:
    return "\n\n".join(
        f"== step {row.step:,}, validation loss {row.val:.4f} nats per character ==\n\n{row.sample}"
        for row in moments.itertuples()
    )


def _moments(checkpoint: Checkpoint, evolution: Evolution) -> pd.DataFrame | None:
    """A row a moment: step, val, train, sample; None where the record lacks a moment's losses."""
    measured: dict[int, LossRow] = {
        row.step: row
        for row in checkpoint.loss_record
        if row.val_loss is not None and row.train_loss is not None
    }
    steps = evolution.steps.tolist()
    if not measured.keys() >= set(steps):
        return None
    return pd.DataFrame(
        {
            "step": steps,
            "val": [measured[step].val_loss for step in steps],
            "train": [measured[step].train_loss for step in steps],
            "sample": [checkpoint.tokenizer.decode(each) for each in evolution.samples],
        }
    )


def _packed(array: np.ndarray) -> str:
    """Numbers from 0 to 255, a byte each, in base 64."""
    return base64.b64encode(np.round(array).astype(np.uint8).tobytes()).decode()

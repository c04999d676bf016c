"""Scrub through training: what the model wrote, looked at and expected at moments of its run."""

import base64
from pathlib import Path

import numpy as np
import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.evolution import Evolution
from microgpt.hub import Loaded
from microgpt.loss_record import LossRow
from microgpt.ui import charts
from microgpt.ui.widgets import CONTROL_WIDTH, keep_within

SCRUBBER = st.components.v2.component(
    "microgpt.evolution",
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
    css=Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
)


def evolution_view(loaded: Loaded) -> None:
    """The scrubber, for a checkpoint that kept the moments of its run."""
    checkpoint = loaded.checkpoint
    evolution = checkpoint.evolution
    if evolution is None:
        return
    st.subheader("How it came to write", anchor=False)
    st.caption(
        "Move the slider, or press play: the same model at moments of its training. It always "
        "writes with the same draws and always reads the same passage; choose a character of it "
        "to see what the model expected after it, the true one underlined."
    )
    with st.container(horizontal=True):
        layer = _number("Layer", "evolution_layer", checkpoint.config.n_layer)
        head = _number("Head", "evolution_head", checkpoint.config.n_head)
    data = _moments(checkpoint, evolution)
    if data is None:
        st.info("The loss record and the evolution of this checkpoint are of different steps.")
        return
    data["head"] = f"Layer {layer}, head {head}"
    data["maps"] = _packed(evolution.maps[:, layer - 1, head - 1])
    SCRUBBER(key="evolution", data=data)


def _number(name: str, key: str, most: int) -> int:
    keep_within(key, most)
    return st.number_input(name, 1, most, 1, key=key, bind="query-params", width=CONTROL_WIDTH)


def _moments(checkpoint: Checkpoint, evolution: Evolution) -> dict[str, object] | None:
    """What is the same for every head; None where the record lacks a moment's losses."""
    measured: dict[int, LossRow] = {
        row.step: row
        for row in checkpoint.loss_record
        if row.val_loss is not None and row.train_loss is not None
    }
    steps = evolution.steps.tolist()
    if not measured.keys() >= set(steps):
        return None
    decode = checkpoint.tokenizer.decode
    return {
        "steps": steps,
        "val": [measured[step].val_loss for step in steps],
        "train": [measured[step].train_loss for step in steps],
        "samples": [decode(sample) for sample in evolution.samples],
        "passage": charts.visible(decode(evolution.passage)),
        "characters": charts.visible(checkpoint.tokenizer.characters),
        "probs": _packed(np.round(evolution.probs.astype(np.float32) * 255).astype(np.uint8)),
        "palette": charts.palette(),
    }


def _packed(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()

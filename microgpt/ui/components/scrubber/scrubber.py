"""The browser component that shows the snapshots of a training run, one step at a time."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from microgpt.checkpoint.snapshots import Snapshots
from microgpt.ui.charts import style
from microgpt.ui.components import component, in_base64

_SCRUBBER = component("scrubber", uses=["playback.js", "playback.css"])
# Limit for the data of all snapshots that are sent to the browser.
MAX_BYTES = 4 * 2**20


def scrubber(
    key: str,
    table: pd.DataFrame,
    passage: str,
    characters: str,
    probs: np.ndarray,
    title: str,
    maps: np.ndarray,
    step: int,
    on_step: Callable[[int], None],
) -> None:
    """Show S snapshots with a slider: the losses, the sample, one head's map, the predictions.

    table: one row for each snapshot: step, val and train (losses, nats per character), sample.
    passage: the T characters that the model reads at every snapshot. characters: the vocabulary.
    probs: (S, T, V), the predictions after each character, 0 to 1. title: of the map. maps:
    (S, T, T), the map of one head, 0 to 255. step: the index of the snapshot that is shown first.
    on_step: called with the index of another one before the next run.
    """

    def moved() -> None:
        at = st.session_state[key].get("step")
        if type(at) is int and 0 <= at < len(table):
            on_step(at)

    _SCRUBBER(
        key=key,
        data={
            **table.to_dict("list"),
            "passage": style.visible(passage),
            "lines": [at for at, char in enumerate(passage) if char == "\n"],
            "spaces": [at for at, char in enumerate(passage) if char.isspace()],
            "signs": style.signs_in_text(characters),
            "characters": style.visible(characters),
            "probs": in_base64(np.round(255 * probs.astype(np.float32)), "u1"),
            "palette": style.palette(),
            "head": title,
            "maps": in_base64(np.round(maps), "u1"),
            "shown": step,
        },
        on_step_change=moved,
    )


def shown_snapshots(snapshots: Snapshots) -> list[int]:
    """The indices of the snapshots that the scrubber can show; empty if even two are too large.

    If all together exceed MAX_BYTES, they are evenly spaced, with the first and the last.
    """
    count, positions, vocab_size = snapshots.probs.shape
    # At most four bytes for a character of the sample, as UTF-8.
    each = positions * (positions + vocab_size) + 4 * snapshots.samples.shape[1]
    most = MAX_BYTES // each
    if count > most < 2:
        return []
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()

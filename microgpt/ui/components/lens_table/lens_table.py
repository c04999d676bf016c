"""The browser component that shows the likeliest character at each point and position."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from microgpt.ui.charts import style
from microgpt.ui.components import component, in_base64, is_index

_TABLE = component("lens_table")
# Divergences are sent in steps of 1/1000 nat, up to 65 nats.
_STEPS_PER_NAT = 1000


def packed(likeliest: np.ndarray, probs: np.ndarray, divergences: np.ndarray) -> str:
    """Encode tables (N, T) in base64 as (N, T, 3) little-endian uint16.

    A cell holds the likeliest character, its probability times 65,535 and the divergence in
    thousandths of a nat.
    """
    most = 2**16 - 1
    steps = np.minimum(np.round(_STEPS_PER_NAT * divergences), most)
    cells = np.stack([likeliest, np.round(most * probs), steps], axis=-1)
    return in_base64(cells, "<u2")


def lens_table(
    key: str,
    text: str,
    rows: Sequence[str],
    characters: str,
    likeliest: np.ndarray,
    probs: np.ndarray,
    divergences: np.ndarray,
    row: int,
    at: int,
    on_pick: Callable[[int, int], None],
) -> None:
    """Show the likeliest next character of N points (rows) at the T positions of a text (columns).

    rows: the names of the points. characters: the vocabulary. likeliest, probs, divergences: (N, T)
    each, as in LogitLens. row, at: the chosen cell. on_pick: called with the row and the position
    of another cell before the next run.
    """

    def picked() -> None:
        cell = st.session_state[key].get("picked")
        if isinstance(cell, list) and len(cell) == 2:
            row, at = cell
            if is_index(row, len(rows)) and is_index(at, len(text)):
                on_pick(row, at)

    used, ids = np.unique(likeliest, return_inverse=True)
    _TABLE(
        key=key,
        data={
            "text": style.visible(text),
            "rows": list(rows),
            "characters": [style.sign(characters[i]) for i in used],
            "cells": packed(ids.reshape(likeliest.shape), probs, divergences),
            "row": row,
            "at": at,
            "palette": style.palette(),
        },
        on_picked_change=picked,
    )

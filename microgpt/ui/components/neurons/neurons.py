"""The browser component of the neurons of a layer: those that were found, and one on the text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from microgpt.ui.charts import style
from microgpt.ui.components import component

_NEURONS = component("neurons")


@dataclass(frozen=True)
class Row:
    """A neuron in the list: the kind of position it fires on, its number from 0, its score.

    chance: what the best neuron would score by chance.
    """

    name: str
    neuron: int
    score: float
    chance: float


@dataclass(frozen=True)
class Passage:
    """A part of a text with the activation of a neuron at each of its characters.

    values: (len(text),). at: the character that excites the neuron most, from 0. start: the
    position in the whole text of the first character, from 0.
    """

    text: str
    values: np.ndarray
    at: int
    start: int = 0


def neurons(
    key: str,
    shown: Passage,
    rows: Sequence[Row],
    chosen: int,
    passages: Sequence[Passage],
    heading: str,
    on_neuron: Callable[[int], None],
) -> None:
    """Show the found neurons as a list of buttons, and the text shaded by the chosen neuron.

    chosen: from 0. passages: the places of another text that excite it most, under a heading.
    on_neuron: called before the next run with the neuron of the row that was pressed, from 0.
    """

    def pressed() -> None:
        neuron = st.session_state[key].get("neuron")
        if neuron in [row.neuron for row in rows]:  # anyone can send anything
            on_neuron(neuron)

    text, *others = map(_data, (shown, *passages))
    _NEURONS(
        key=key,
        data={
            "rows": [
                {**vars(row), "score": round(row.score, 3), "chance": round(row.chance, 3)}
                for row in rows
            ],
            "chosen": chosen,
            "text": text,
            "passages": others,
            "heading": heading,
            "peak": max(value for each in (text, *others) for value in each["values"]),
            "palette": style.palette(),
        },
        on_neuron_change=pressed,
    )


def _data(passage: Passage) -> dict[str, Any]:
    return {
        "labels": style.visible(passage.text),
        "lines": [at for at, char in enumerate(passage.text) if char == "\n"],
        "values": [float(f"{value:.3g}") for value in passage.values.tolist()],
        "at": passage.at,
        "start": passage.start,
    }

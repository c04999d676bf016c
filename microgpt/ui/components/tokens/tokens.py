"""The browser component that shows a text and the predictions of each character.

The measurements of a character are packed into 16-bit numbers. While a text is being written, only
the last characters are sent, in hidden elements that tokens.js reads.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.analysis.predictions import Predictions
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.charts import style
from microgpt.ui.components import component, in_base64
from microgpt.ui.next_steps import Step

# How many of the likeliest characters are sent for each position.
ALTERNATIVES = 6
# The key of a container with the whole distribution of a character. The button of the card scrolls
# to it if the page has one.
DISTRIBUTION = "distribution"
# −ln p is sent in steps of 1/2000 nat (0.05 % of p). The highest number stands for infinity.
_STEPS_PER_NAT, _INFINITE = 2000, 2**16 - 1
# A text is packed and sent in parts of this many characters. Only the last part grows.
_PART = 256

_TOKENS = component("tokens")


@dataclass(frozen=True)
class Picked:
    """The position that a visitor chose, from 0, and the token to put there, if any."""

    at: int
    token: int | None = None


def packed(predictions: Predictions, config: SamplingConfig | None = None) -> str:
    """Encode N characters as base64 of (N, 6 + 2 x ALTERNATIVES) little-endian uint16.

    Columns: id, rank, number of possible characters, surprisal, surprisal after the sampling
    settings, entropy, then the ids and the surprisals of the likeliest characters. config: None for
    a text that was not generated.
    """
    if not len(predictions):
        return ""
    tokens = predictions.tokens.numpy()[:, None]  # (N, 1)
    surprisals = -predictions.log_probs  # (N, V)
    probs = predictions.drawn_probs(config) if config else np.exp(-surprisals)  # (N, V)
    likeliest = predictions.order[:, :ALTERNATIVES]
    pad = ((0, 0), (0, ALTERNATIVES - likeliest.shape[1]))
    with np.errstate(divide="ignore"):  # the logarithm of 0 is sent as _INFINITE
        drawn_with = -np.log(np.take_along_axis(probs, tokens, axis=-1))
    table = np.hstack(
        [
            tokens,
            predictions.rank[:, None],
            (probs > 0).sum(axis=-1, keepdims=True),
            _steps(predictions.surprisal[:, None]),
            _steps(drawn_with),
            _steps(predictions.entropy[:, None]),
            np.pad(likeliest, pad, constant_values=_INFINITE),
            np.pad(
                _steps(np.take_along_axis(surprisals, likeliest, axis=-1)),
                pad,
                constant_values=_INFINITE,
            ),
        ]
    )
    return in_base64(table, "<u2")


def _steps(nats: np.ndarray) -> np.ndarray:
    steps = np.clip(np.round(nats * _STEPS_PER_NAT), 0, _INFINITE - 1)
    return np.where(np.isfinite(nats), steps, _INFINITE)


@dataclass(eq=False)
class Packing:
    """Packs growing predictions in parts; a character is packed once. Threads may share it."""

    config: SamplingConfig | None
    _parts: list[str] = field(default_factory=list)
    _count: int = 0
    _packing: threading.Lock = field(default_factory=threading.Lock)

    def parts(self, predictions: Predictions) -> list[str]:
        """The parts so far. They may be joined, because a character takes a multiple of 3 bytes.

        predictions: of the same text as in earlier calls; those that were packed are not read.
        """
        with self._packing:
            while self._count < len(predictions):
                grown = self._count % _PART
                end = min(self._count - grown + _PART, len(predictions))
                records = packed(predictions[self._count : end], self.config)
                if grown:
                    self._parts[-1] += records
                else:
                    self._parts.append(records)
                self._count = end
            return self._parts.copy()


def token_text(
    key: str,
    name: str,
    tokenizer: CharTokenizer,
    before: str,
    predictions: Predictions,
    packing: Packing,
    *,
    colour: str = "none",
    live: bool = False,
    stopped: bool = False,
    mark: int | None = None,
    link: dict[str, str] | None = None,
    on_pick: Callable[[Picked], None] | None = None,
    branches: bool = False,
    step: Step | None = None,
    explain: Callable[[int], Step] | None = None,
) -> None:
    """Show a text and the predictions of its characters.

    key: of the component. name: unique to the text. before: shown before the text, without
    predictions. colour: `none`, `probability` or `surprisal`, until the visitor changes it. live:
    whether a Feed with the same name adds to the text. stopped: whether it was stopped before its
    length, so that a phone has a button at its bottom. mark: the position of a character to mark,
    -1 for the last one of `before`. link: the query parameters of a link to the text; None for no
    link. on_pick: called before the next run if the visitor asks for the distribution of a
    character, or, if `branches`, for another token in its place. step: what a button above the text
    opens. explain: what the button “Why this one?” opens, for a position of the text.
    """
    config = packing.config

    def picked() -> None:
        event = st.session_state[key]["picked"]
        if (
            on_pick is not None
            and event
            and event["name"] == name
            and event["at"] in range(len(predictions))
        ):
            token = event["token"]
            on_pick(Picked(event["at"], token if token in range(tokenizer.vocab_size) else None))

    def asked() -> None:
        event = st.session_state[key]["asked"]
        if explain and event and event["name"] == name and event["at"] in range(len(predictions)):
            explain(event["at"]).take()

    _TOKENS(
        key=key,
        data={
            "name": name,
            "before": before,
            "characters": tokenizer.characters,
            "labels": style.visible(tokenizer.characters),
            "signs": style.signs_in_text(tokenizer.characters),
            "records": "".join(packing.parts(predictions)),
            "alternatives": ALTERNATIVES,
            "temperature": config.temperature if config else None,
            "colour": colour,
            "live": live,
            "stopped": stopped,
            "mark": mark,
            "picks": on_pick is not None,
            "branches": branches,
            "explains": explain is not None,
            "distribution": f".st-key-{DISTRIBUTION}",
            "link": link,
            "step": [step.label, step.about] if step else None,
        },
        on_picked_change=picked,
        on_asked_change=asked,
        on_step_change=step.take if step else lambda: None,
    )


@dataclass
class Feed:
    """Sends the parts of a growing text to the browser, in hidden elements of `place`."""

    name: str
    place: DeltaGenerator
    _slots: list[DeltaGenerator] = field(default_factory=list)

    def send(self, parts: list[str]) -> None:
        """Send all new parts, and the last part of the previous call, which may have grown."""
        for at in range(max(0, len(self._slots) - 1), len(parts)):
            if at == len(self._slots):
                self._slots.append(self.place.empty())
            # No escaping is needed: the records are base64, and the name comes from the app.
            self._slots[at].html(
                f'<span hidden data-microgpt-feed="{self.name}" data-from="{at * _PART}" '
                f'data-records="{parts[at]}"></span>'
            )

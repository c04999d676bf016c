"""The browser component that shows a text and the predictions of each character.

The measurements of a character are packed into 16-bit numbers. While a text is being written, only
the last characters are sent, in hidden elements that tokens.js reads.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.analysis.predictions import Predictions
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.charts import style
from microgpt.ui.components import component

# How many of the likeliest characters are sent for each position.
ALTERNATIVES = 6
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
    surprisals = -predictions.log_probs.numpy()  # (N, V)
    probs = predictions.drawn_probs(config).numpy() if config else np.exp(-surprisals)  # (N, V)
    likeliest = predictions.order[:, :ALTERNATIVES].numpy()
    pad = ((0, 0), (0, ALTERNATIVES - likeliest.shape[1]))
    with np.errstate(divide="ignore"):  # the logarithm of 0 is sent as _INFINITE
        drawn_with = -np.log(np.take_along_axis(probs, tokens, axis=-1))
    table = np.hstack(
        [
            tokens,
            predictions.rank.numpy()[:, None],
            (probs > 0).sum(axis=-1, keepdims=True),
            _steps(predictions.surprisal.numpy()[:, None]),
            _steps(drawn_with),
            _steps(predictions.entropy.numpy()[:, None]),
            np.pad(likeliest, pad, constant_values=_INFINITE),
            np.pad(
                _steps(np.take_along_axis(surprisals, likeliest, axis=-1)),
                pad,
                constant_values=_INFINITE,
            ),
        ]
    )
    return base64.b64encode(table.astype("<u2").tobytes()).decode()


def _steps(nats: np.ndarray) -> np.ndarray:
    steps = np.clip(np.round(nats * _STEPS_PER_NAT), 0, _INFINITE - 1)
    return np.where(np.isfinite(nats), steps, _INFINITE)


@dataclass(eq=False)
class Packing:
    """Packs growing predictions in parts; a complete part is packed once."""

    config: SamplingConfig | None
    _complete: dict[int, str] = field(default_factory=dict)

    def parts(self, predictions: Predictions) -> list[str]:
        """The parts so far. They may be joined, because a character takes a multiple of 3 bytes."""
        starts = range(0, len(predictions), _PART)
        return [self._part(predictions[start : start + _PART], start) for start in starts]

    def _part(self, predictions: Predictions, start: int) -> str:
        if start not in self._complete:
            records = packed(predictions, self.config)
            if len(predictions) < _PART:
                return records
            self._complete[start] = records
        return self._complete[start]


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
    mark: int | None = None,
    link: dict[str, str] | None = None,
    on_pick: Callable[[Picked], None] | None = None,
) -> None:
    """Show a text and the predictions of its characters.

    key: of the component. name: another one for another text. before: shown before the text,
    without predictions. colour: `none`, `probability` or `surprisal`, until the visitor changes it.
    live: whether a Feed with the same name adds to the text. mark: the position of a character to
    mark, -1 for the last one of `before`. link: the query parameters of a link to the text; None
    for no link. on_pick: called before the next run, with a token only for a generated text.
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
            "mark": mark,
            "picks": on_pick is not None,
            "link": link,
        },
        on_picked_change=picked,
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

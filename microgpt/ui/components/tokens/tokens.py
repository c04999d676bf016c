"""A text whose characters answer hover, tap and keys in the browser, and how it grows there.

What the browser is told of a character is packed into 16-bit numbers; while a text is being
written, only what is new goes out, in elements that nobody sees and tokens.js reads.
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

# Alternatives told with each character; the exact distribution is the server's to show.
ALTERNATIVES = 6
# -log p in steps of 1/2000 nat, or 0.05 %; the last value stands for a probability of 0.
_STEPS_PER_NAT, _NEVER = 2000, 2**16 - 1
# A text is packed and sent in parts of so many characters; the last one anew as it grows.
_PART = 256

_TOKENS = component("tokens")


@dataclass(frozen=True)
class Picked:
    """What a visitor did with a character: chose it, or another one in its place (token)."""

    at: int
    token: int | None = None


def packed(predictions: Predictions, config: SamplingConfig | None = None) -> str:
    """N characters as base64 of (N, 6 + 2 x ALTERNATIVES) little-endian uint16.

    id, rank, how many could be drawn, -log p, -log of what it was drawn with, entropy, then the
    ids and the -log p of the likeliest. Without a config nothing was drawn: the text was read.
    """
    if not len(predictions):
        return ""
    tokens = predictions.tokens.numpy()[:, None]  # (N, 1)
    surprises = -predictions.log_probs.numpy()  # (N, V)
    probs = predictions.drawn_probs(config).numpy() if config else np.exp(-surprises)  # (N, V)
    likeliest = predictions.order[:, :ALTERNATIVES].numpy()
    pad = ((0, 0), (0, ALTERNATIVES - likeliest.shape[1]))
    with np.errstate(divide="ignore"):  # the logarithm of 0 is sent as _NEVER
        drawn_with = -np.log(np.take_along_axis(probs, tokens, axis=-1))
    table = np.hstack(
        [
            tokens,
            predictions.rank.numpy()[:, None],
            (probs > 0).sum(axis=-1, keepdims=True),
            _steps(predictions.surprise.numpy()[:, None]),
            _steps(drawn_with),
            _steps(predictions.entropy.numpy()[:, None]),
            np.pad(likeliest, pad, constant_values=_NEVER),
            np.pad(
                _steps(np.take_along_axis(surprises, likeliest, axis=-1)),
                pad,
                constant_values=_NEVER,
            ),
        ]
    )
    return base64.b64encode(table.astype("<u2").tobytes()).decode()


def _steps(nats: np.ndarray) -> np.ndarray:
    steps = np.clip(np.round(nats * _STEPS_PER_NAT), 0, _NEVER - 1)
    return np.where(np.isfinite(nats), steps, _NEVER)


@dataclass(eq=False)
class Packing:
    """Growing predictions in packed parts; those that are complete are packed once."""

    config: SamplingConfig | None
    _complete: dict[int, str] = field(default_factory=dict)

    def parts(self, predictions: Predictions) -> list[str]:
        """What is there so far; they can be joined, as a character takes a multiple of 3 bytes."""
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
    """Show a text after what stands before it.

    name tells this text from the next one under the same key. colour: `none`, `probability` or
    `surprise`, until the visitor takes another. live: the text goes on growing, by a Feed of the
    same name. mark: the character where it parts from another text, -1 is the last of those before.
    link: the query parameters of a link to it; without them none is offered. on_pick is called
    before the next run; of a text that was drawn it may be told another character to go on with.
    """
    config = packing.config

    def picked() -> None:
        told = st.session_state[key]["picked"]
        if (
            on_pick is not None
            and told
            and told["name"] == name
            and told["at"] in range(len(predictions))
        ):
            token = told["token"]
            on_pick(Picked(told["at"], token if token in range(tokenizer.vocab_size) else None))

    _TOKENS(
        key=key,
        data={
            "name": name,
            "before": before,
            "characters": tokenizer.characters,
            "labels": style.visible(tokenizer.characters),
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
    """The way of a growing text into the browser; parts go into the place it was made in."""

    name: str
    place: DeltaGenerator
    _slots: list[DeltaGenerator] = field(default_factory=list)

    def send(self, parts: list[str]) -> None:
        """Send the part that was the last one before, which may have grown, and those after it."""
        for at in range(max(0, len(self._slots) - 1), len(parts)):
            if at == len(self._slots):
                self._slots.append(self.place.empty())
            # Letters, digits, + and / only; the name is the app's own.
            self._slots[at].html(
                f'<span hidden data-microgpt-feed="{self.name}" data-from="{at * _PART}" '
                f'data-records="{parts[at]}"></span>'
            )

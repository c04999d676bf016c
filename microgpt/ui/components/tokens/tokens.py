"""A text whose characters answer hover, tap and keys in the browser, and how it grows there.

What the browser is told of a character is packed into 16-bit numbers; while a text is being
written, only what is new goes out, in elements that nobody sees and tokens.js reads.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator

from microgpt.analysis.predictions import Predictions
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.charts import style

# Alternatives told with each character; the exact distribution is the server's to show.
ALTERNATIVES = 6
# -log p in steps of 1/2000 nat, or 0.05 %; the last value stands for a probability of 0.
_STEPS_PER_NAT, _NEVER = 2000, 2**16 - 1
# A text is packed and sent in parts of so many characters; the last one anew as it grows.
_PART = 256

_COMPONENT = st.components.v2.component(
    "microgpt.tokens",
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
    css=Path(__file__).with_suffix(".css").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Picked:
    """What a visitor did with a character: chose it, or another one in its place (token)."""

    at: int
    token: int | None = None


def packed(trace: Predictions, config: SamplingConfig | None = None) -> str:
    """N characters as base64 of (N, 6 + 2 x ALTERNATIVES) little-endian uint16.

    id, rank, how many could be drawn, -log p, -log of what it was drawn with, entropy, then the
    ids and the -log p of the likeliest. Without a config nothing was drawn: the text was read.
    """
    if not len(trace):
        return ""
    probs = trace.drawn_probs(config) if config else trace.log_probs.exp()  # (N, V)
    likeliest = trace.order[:, :ALTERNATIVES]
    pad = ALTERNATIVES - likeliest.shape[1]
    ids = torch.nn.functional.pad(likeliest, (0, pad), value=_NEVER)
    surprises = -trace.log_probs.gather(-1, likeliest)
    surprises = torch.nn.functional.pad(surprises, (0, pad), value=torch.inf)
    drawn_with = probs.gather(-1, trace.tokens[:, None])
    columns = [
        trace.tokens[:, None],
        trace.rank[:, None],
        (probs > 0).sum(dim=-1, keepdim=True),
        _steps(trace.surprise[:, None]),
        _steps(-drawn_with.log()),
        _steps(trace.entropy[:, None]),
        ids,
        _steps(surprises),
    ]
    table = torch.cat([column.long() for column in columns], dim=-1)
    return base64.b64encode(table.numpy().astype("<u2").tobytes()).decode()


def _steps(nats: torch.Tensor) -> torch.Tensor:
    return (nats * _STEPS_PER_NAT).round().clamp(0, _NEVER - 1).where(nats.isfinite(), _NEVER)


@dataclass(eq=False)
class Packing:
    """A growing trace in packed parts; those that are complete are packed once."""

    config: SamplingConfig | None
    _complete: dict[int, str] = field(default_factory=dict)

    def parts(self, trace: Predictions) -> list[str]:
        """What is there so far; they can be joined, as a character takes a multiple of 3 bytes."""
        starts = range(0, len(trace), _PART)
        return [self._part(trace[start : start + _PART], start) for start in starts]

    def _part(self, trace: Predictions, start: int) -> str:
        if start not in self._complete:
            records = packed(trace, self.config)
            if len(trace) < _PART:
                return records
            self._complete[start] = records
        return self._complete[start]


def token_text(
    key: str,
    name: str,
    tokenizer: CharTokenizer,
    before: str,
    trace: Predictions,
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
            and told["at"] in range(len(trace))
        ):
            token = told["token"]
            on_pick(Picked(told["at"], token if token in range(tokenizer.vocab_size) else None))

    _COMPONENT(
        key=key,
        data={
            "name": name,
            "before": before,
            "characters": tokenizer.characters,
            "labels": style.visible(tokenizer.characters),
            "records": "".join(packing.parts(trace)),
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

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

from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.trace import Trace
from microgpt.ui import charts

# Alternatives told with each character; the exact distribution is the server's to show.
ALTERNATIVES = 6
# -log p in steps of 1/2000 nat, or 0.05 %; the last value stands for a probability of 0.
_STEPS_PER_NAT, _NEVER = 2000, 2**16 - 1
# A part is sent anew as it grows, up to this many characters.
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


def packed(trace: Trace, config: SamplingConfig | None = None) -> str:
    """N characters as base64 of (N, 6 + 2 x ALTERNATIVES) little-endian uint16.

    id, rank, how many could be drawn, -log p, -log of what it was drawn with, entropy, then the
    ids and the -log p of the likeliest. Without a config nothing was drawn: the text was read.
    """
    if not len(trace):
        return ""
    probs = trace.drawn_probs(config) if config else trace.log_probs.exp()
    likeliest = trace.order[:, :ALTERNATIVES]
    pad = ALTERNATIVES - likeliest.shape[1]
    ids = torch.nn.functional.pad(likeliest, (0, pad), value=_NEVER)
    surprises = -trace.log_probs.gather(-1, likeliest)
    surprises = torch.nn.functional.pad(surprises, (0, pad), value=torch.inf)
    drawn = -probs.gather(-1, trace.tokens[:, None]).log()
    columns = [
        trace.tokens[:, None],
        trace.rank[:, None],
        (probs > 0).sum(dim=-1, keepdim=True),
        _steps(trace.surprise[:, None]),
        _steps(drawn),
        _steps(trace.entropy[:, None]),
        ids,
        _steps(surprises),
    ]
    table = torch.cat([column.long() for column in columns], dim=-1)
    return base64.b64encode(table.numpy().astype("<u2").tobytes()).decode()


def _steps(nats: torch.Tensor) -> torch.Tensor:
    return (nats * _STEPS_PER_NAT).round().clamp(0, _NEVER - 1).where(nats.isfinite(), _NEVER)


def token_text(
    key: str,
    name: str,
    tokenizer: CharTokenizer,
    before: str,
    trace: Trace,
    config: SamplingConfig | None = None,
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
    same name. mark: the character where it parts from another text. link: query parameters to pin
    in a copied link; without it none is offered. on_pick is called before the next run; with a
    config it may be told another character to go on with.
    """

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
            "labels": charts.visible(tokenizer.characters),
            "records": packed(trace, config),
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
    sent: int = 0
    _slot: DeltaGenerator | None = field(default=None, repr=False)
    _start: int = 0

    def send(self, trace: Trace, config: SamplingConfig) -> None:
        """Send what is new of a trace; what was sent of an unfinished part goes with it."""
        while self.sent < len(trace):
            if self._slot is None or self.sent - self._start >= _PART:
                self._slot, self._start = self.place.empty(), self.sent
            self.sent = min(len(trace), self._start + _PART)
            records = packed(trace[self._start : self.sent], config)
            # Letters and digits only; the name is the app's own.
            self._slot.html(
                f'<span hidden data-microgpt-feed="{self.name}" data-from="{self._start}" '
                f'data-records="{records}"></span>'
            )

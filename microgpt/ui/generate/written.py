"""A text that the model wrote, or is writing, and what a session keeps of it."""

import secrets
from dataclasses import dataclass, field
from typing import Self

import streamlit as st

from microgpt.analysis.predictions import GrowingPredictions, Predictions
from microgpt.checkpoint import Checkpoint
from microgpt.generate import GeneratedCharacter, start_ids
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.components.tokens.tokens import Packing


@dataclass(eq=False)
class Written:
    """A generation, finished or not; it stays on the page until the next one.

    growing: its predictions, of `length` characters at most. rate: characters/s, with that path of
    the engine. parted_from: the line this one went on from with another character, and where.
    """

    prompt: str
    config: SamplingConfig
    length: int
    fingerprint: str
    growing: GrowingPredictions | Predictions
    rate: float | None = None
    path: str | None = None
    over: bool = False
    parted_from: "tuple[Written, int] | None" = None
    name: str = field(default_factory=lambda: secrets.token_hex(4))

    def __post_init__(self) -> None:
        self.packing = Packing(self.config)

    @classmethod
    def begin(
        cls, checkpoint: Checkpoint, prompt: str, length: int, config: SamplingConfig
    ) -> Self:
        """A text of which nothing is written yet."""
        growing = GrowingPredictions(length, checkpoint.config.vocab_size)
        return cls(prompt, config, length, checkpoint.fingerprint, growing)

    @classmethod
    def of(
        cls,
        checkpoint: Checkpoint,
        prompt: str,
        length: int,
        config: SamplingConfig,
        predictions: Predictions,
    ) -> Self:
        """A text that is over; the predictions are those of all of it or of its beginning."""
        return cls(prompt, config, length, checkpoint.fingerprint, predictions, over=True)

    def add(self, character: GeneratedCharacter) -> None:
        """Add one character, unless the text is over."""
        if isinstance(self.growing, GrowingPredictions):
            self.growing.add(character)

    def end(self) -> None:
        """Add no more characters.

        A rerun starts beside the script that it ends, which may be about to add a character.
        """
        if not self.over:
            if isinstance(self.growing, GrowingPredictions):
                self.growing.end()
            self.over = True

    @property
    def predictions(self) -> Predictions:
        """Those of the characters written so far."""
        return self.growing if isinstance(self.growing, Predictions) else self.growing.so_far

    @property
    def count(self) -> int:
        """How many characters are written so far."""
        return len(self.growing)


def current() -> Written | None:
    """The session's text."""
    return st.session_state.get("written")


def show_from_now_on(written: Written) -> None:
    """Make a text the session's."""
    st.session_state["written"] = written
    st.session_state.pop("chosen", None)


def branch(tokenizer: CharTokenizer, written: Written, at: int, token: int) -> None:
    """Go on with another character at a place of a text; for a callback.

    A branch is a text like any other: its prompt is all that stands before, so that its link and
    its record open it elsewhere. Past the window it reads on from the end of that prompt.
    """
    start = tokenizer.decode(start_ids(tokenizer, written.prompt))
    before = tokenizer.decode([*written.predictions.tokens[:at].tolist(), token])
    written.parted_from = None  # two lines are kept, not all that ever were
    write_next((written, at), prompt=start + before)


def write_next(parted_from: tuple[Written, int] | None = None, /, **settings: object) -> None:
    """Give the page's widgets these values and write; for a callback."""
    for key, value in settings.items():
        st.session_state[key] = value
    st.session_state["write_next"] = parted_from


def is_asked_for() -> bool:
    """Whether a callback asked for a text that is not begun yet."""
    return "write_next" in st.session_state


def take_asked() -> tuple[Written, int] | None:
    """The line that the text asked for parts from, if any; it counts as begun."""
    return st.session_state.pop("write_next", None)

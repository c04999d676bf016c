"""A text that the model wrote or is writing, as the session keeps it."""

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
    """A generated text, finished or not; it stays on the page until the next one.

    growing: the predictions of at most `length` characters. rate: characters/s, measured with that
    path of the engine. parted_from: for a branch, the text that it left, and the position.
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
        """A text that is still empty."""
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
        """A finished text; its predictions may be fewer than length."""
        return cls(prompt, config, length, checkpoint.fingerprint, predictions, over=True)

    def add(self, character: GeneratedCharacter) -> None:
        """Add one character, unless the text has ended."""
        if isinstance(self.growing, GrowingPredictions):
            self.growing.add(character)

    def end(self) -> None:
        """End the text; later characters are ignored.

        A rerun starts before the old script has stopped, and that script may add one more.
        """
        if not self.over:
            if isinstance(self.growing, GrowingPredictions):
                self.growing.end()
            self.over = True

    @property
    def predictions(self) -> Predictions:
        """The predictions of the characters written so far."""
        return self.growing if isinstance(self.growing, Predictions) else self.growing.so_far

    @property
    def count(self) -> int:
        """How many characters are written so far."""
        return len(self.growing)


def current() -> Written | None:
    """The session's text."""
    return st.session_state.get("written")


def show_from_now_on(written: Written) -> None:
    """Make this the session's text."""
    st.session_state["written"] = written
    st.session_state.pop("chosen", None)


def branch(tokenizer: CharTokenizer, written: Written, at: int, token: int) -> None:
    """Continue a text with another character at one position. For a callback.

    The prompt of the branch is the whole text up to and with that character, so its link and its
    record work like those of any text. If that is longer than the window, the model reads its end.
    """
    start = tokenizer.decode(start_ids(tokenizer, written.prompt))
    before = tokenizer.decode([*written.predictions.tokens[:at].tolist(), token])
    written.parted_from = None  # keep two texts, not the whole history
    write_next((written, at), prompt=start + before)


def write_next(parted_from: tuple[Written, int] | None = None, /, **settings: object) -> None:
    """Set the page's widgets to these values and write. For a callback."""
    for key, value in settings.items():
        st.session_state[key] = value
    st.session_state["write_next"] = parted_from


def is_asked_for() -> bool:
    """Whether a callback requested a text that has not been started."""
    return "write_next" in st.session_state


def take_asked() -> tuple[Written, int] | None:
    """Mark the requested text as started; return the text that it branches from, if any."""
    return st.session_state.pop("write_next", None)

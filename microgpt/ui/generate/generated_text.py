"""The text that a session shows on the Generate page, finished or still being generated."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import streamlit as st

from microgpt.analysis.predictions import GrowingPredictions, Predictions
from microgpt.checkpoint import Checkpoint
from microgpt.engine import Drawn
from microgpt.generate import start_ids
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.components.tokens.tokens import Packing
from microgpt.ui.controls import Control


@dataclass(eq=False)
class GeneratedText:
    """A generated text, finished or not; the page shows it until the next one.

    length: the number of characters that were requested. rate: in characters/s. backend: the
    backend of the engine that reached this rate. branched_from: for a branch, the text that it
    branches from, and the position of the first different character, from 0. name: unique.
    """

    prompt: str
    config: SamplingConfig
    length: int
    fingerprint: str
    growing: GrowingPredictions | Predictions
    rate: float | None = None
    backend: str | None = None
    finished: bool = False
    branched_from: "tuple[GeneratedText, int] | None" = None
    name: str = field(default_factory=lambda: secrets.token_hex(4))

    def __post_init__(self) -> None:
        self.packing = Packing(self.config)

    @classmethod
    def empty(
        cls, checkpoint: Checkpoint, prompt: str, length: int, config: SamplingConfig
    ) -> Self:
        """A text without characters, to which `length` characters can be added."""
        growing = GrowingPredictions(length, checkpoint.config.vocab_size)
        return cls(prompt, config, length, checkpoint.fingerprint, growing)

    @classmethod
    def complete(
        cls,
        checkpoint: Checkpoint,
        prompt: str,
        length: int,
        config: SamplingConfig,
        predictions: Predictions,
    ) -> Self:
        """A finished text; it may have fewer characters than `length`."""
        return cls(prompt, config, length, checkpoint.fingerprint, predictions, finished=True)

    def continued(self, length: int) -> "GeneratedText":
        """This text, unfinished, with room for `length` characters in all."""
        start = self.predictions
        growing = GrowingPredictions(length, start.logits.size(-1), start)
        return replace(self, length=length, growing=growing, finished=False)

    def extend(self, drawn: Sequence[Drawn]) -> None:
        """Add characters, unless the text is finished."""
        if isinstance(self.growing, GrowingPredictions):
            self.growing.extend(drawn)

    def finish(self) -> None:
        """Ignore characters that are added later.

        A rerun starts before the old script has stopped, and the old script may add some more.
        """
        if isinstance(self.growing, GrowingPredictions):
            self.growing.end()
        self.finished = True

    @property
    def predictions(self) -> Predictions:
        """The predictions of the characters so far."""
        return self.growing if isinstance(self.growing, Predictions) else self.growing.so_far

    @property
    def count(self) -> int:
        """The number of characters so far."""
        return len(self.growing)

    @property
    def stopped(self) -> bool:
        """Whether the text was stopped before its length."""
        return self.finished and self.count < self.length


def current_text() -> GeneratedText | None:
    """The text that the session shows."""
    return st.session_state.get("generated_text")


def show_text(generated: GeneratedText) -> None:
    """Show this text from now on, without a selected character."""
    st.session_state["generated_text"] = generated
    select_character(None)


def selected_character() -> tuple[GeneratedText, int] | None:
    """The character that the visitor selected: its text and its position, from 0."""
    return st.session_state.get("selected_character")


def select_character(character: tuple[GeneratedText, int] | None) -> None:
    """Select a character of a text, or none."""
    st.session_state["selected_character"] = character


def branch(tokenizer: CharTokenizer, generated: GeneratedText, at: int, token: int) -> None:
    """Request a text that continues with another character at one position. For a callback.

    The prompt of the branch is the whole text up to and including that character, so its link and
    its record work like those of any text. If the prompt is longer than the window, the model reads
    its end.
    """
    start = tokenizer.decode(start_ids(tokenizer, generated.prompt))
    before = tokenizer.decode([*generated.predictions.tokens[:at].tolist(), token])
    generated.branched_from = None  # keep two texts, not the whole history
    request_text((generated, at), prompt=start + before)


def request_text(
    branched_from: tuple[GeneratedText, int] | None = None, /, **settings: object
) -> None:
    """Set the page's widgets to these values and request a text with them. For a callback."""
    for key, value in settings.items():
        Control(key).choose(value)
    st.session_state["requested_text"] = branched_from


def is_requested() -> bool:
    """Whether a callback requested a text that has not been started."""
    return "requested_text" in st.session_state


def take_request() -> tuple[GeneratedText, int] | None:
    """Remove the request; return what its text branches from, if anything."""
    return st.session_state.pop("requested_text", None)

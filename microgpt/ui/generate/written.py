"""A text that the model wrote, or is writing, and what a session keeps of it."""

import secrets
from dataclasses import dataclass, field
from typing import Self

import streamlit as st
import torch
from torch import Tensor

from microgpt.checkpoint import Checkpoint
from microgpt.generate import GeneratedCharacter
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.trace import Trace


@dataclass
class Written:
    """A generation, finished or not; it stays on the page until the next one.

    tokens, logits: of `length` characters, of which `count` are written. parted_from: the line
    this one went on from with another character, and where.
    """

    prompt: str
    config: SamplingConfig
    length: int
    fingerprint: str
    tokens: Tensor
    logits: Tensor
    count: int = 0
    rate: float | None = None
    over: bool = False
    parted_from: "tuple[Written, int] | None" = None
    name: str = field(default_factory=lambda: secrets.token_hex(4))

    @classmethod
    def begin(
        cls, checkpoint: Checkpoint, prompt: str, length: int, config: SamplingConfig
    ) -> Self:
        """A text of which nothing is written yet."""
        logits = torch.empty(length, checkpoint.config.vocab_size)
        tokens = torch.empty(length, dtype=torch.long)
        return cls(prompt, config, length, checkpoint.fingerprint, tokens, logits)

    @classmethod
    def of(cls, checkpoint: Checkpoint, prompt: str, trace: Trace, config: SamplingConfig) -> Self:
        """A finished text."""
        n = len(trace)
        return cls(
            prompt, config, n, checkpoint.fingerprint, trace.tokens, trace.logits, n, over=True
        )

    def add(self, character: GeneratedCharacter) -> None:
        self.tokens[self.count], self.logits[self.count] = character.token, character.logits
        self.count += 1

    @property
    def trace(self) -> Trace:
        """What is written so far."""
        return Trace(self.tokens[: self.count], self.logits[: self.count])


def current() -> Written | None:
    """The session's text. A rerun, a Stop or a closed tab ends a script that asks."""
    return st.session_state.get("written")


def show_from_now_on(written: Written) -> None:
    """Make a text the session's."""
    st.session_state["written"] = written


def branch(tokenizer: CharTokenizer, written: Written, at: int, token: int) -> None:
    """Go on with another character at a place of a text; for a callback.

    A branch is a text like any other: its prompt is all that stands before, so that its link and
    its record open it elsewhere.
    """
    before = tokenizer.decode([*written.tokens[:at].tolist(), token])
    st.session_state["parting"] = (written, at)
    write_next(prompt=written.prompt + before)


def write_next(**settings: object) -> None:
    """Give the page's widgets these values and write; for a callback."""
    for key, value in settings.items():
        st.session_state[key] = value
    st.session_state["write_now"] = True

"""Generation on the pages: a rerun, Stop or a closed tab ends it."""

from collections.abc import Iterator

import streamlit as st

from microgpt.engine import Decoder
from microgpt.generate import GeneratedCharacter, generate, start_ids
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer

# At most this many characters are computed after a visitor has left.
CHECK_EVERY = 8


def stream(
    decoder: Decoder, tokenizer: CharTokenizer, prompt: str, length: int, config: SamplingConfig
) -> Iterator[GeneratedCharacter]:
    """Yield what a model writes after a prompt of known characters, one character at a time.

    A rerun, Stop or a closed tab ends the consuming script within CHECK_EVERY characters.
    """
    characters = generate(decoder, tokenizer, start_ids(tokenizer, prompt), length, config)
    for count, character in enumerate(characters):
        if count % CHECK_EVERY == 0:
            _ = st.session_state.get("any")  # any st.* call lets Streamlit end the script
        yield character

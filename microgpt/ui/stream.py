"""Generation as the pages run it: whoever stops, goes on or leaves ends it."""

from collections.abc import Iterator

import streamlit as st

from microgpt.engine import Decoder
from microgpt.generate import GeneratedCharacter, generate, start_ids
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer

# So many characters at most are computed for a visitor who no longer waits for them.
CHECK_EVERY = 8


def stream(
    decoder: Decoder, tokenizer: CharTokenizer, prompt: str, length: int, config: SamplingConfig
) -> Iterator[GeneratedCharacter]:
    """What a model writes after a prompt of known characters, one at a time.

    A rerun, a Stop or a closed tab ends the script that consumes it within CHECK_EVERY characters.
    """
    characters = generate(decoder, tokenizer, start_ids(tokenizer, prompt), length, config)
    for count, character in enumerate(characters):
        if count % CHECK_EVERY == 0:
            _ = st.session_state.get("written")  # where Streamlit ends a script that is to stop
        yield character

"""Generation as the pages run it: whoever stops, goes on or leaves ends it."""

from collections.abc import Iterator

import streamlit as st
from torch import Tensor

from microgpt.checkpoint import Checkpoint
from microgpt.engine import Decoder
from microgpt.generate import GeneratedCharacter, generate, start_ids
from microgpt.sampling import SamplingConfig

# So many characters at most are computed for a visitor who no longer waits for them.
CHECK_EVERY = 8


def stream(
    checkpoint: Checkpoint,
    prompt: str,
    length: int,
    config: SamplingConfig,
    head_mask: Tensor | None = None,
) -> Iterator[GeneratedCharacter]:
    """What the checkpoint writes after a prompt of known characters, one at a time.

    With a head_mask (L, H) it is the readable model that writes, with some heads off.
    A rerun, a Stop or a closed tab ends the script that consumes it within CHECK_EVERY characters.
    """
    ids = start_ids(checkpoint.tokenizer, prompt)
    if head_mask is None:
        decoder = checkpoint.engine.decoder()
    else:
        decoder = Decoder(checkpoint.model, head_mask=head_mask)
    characters = generate(decoder, checkpoint.tokenizer, ids, length, config)
    for count, character in enumerate(characters):
        if count % CHECK_EVERY == 0:
            _ = st.session_state.get("written")  # where Streamlit ends a script that is to stop
        yield character

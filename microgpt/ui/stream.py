"""Generation on the pages: a rerun, Stop or a closed tab ends it."""

from collections.abc import Iterator
from contextlib import closing

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from microgpt.engine import Drawn, Engine, Scheduler
from microgpt.generate import start_ids
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer

# A growing text is sent this often, in seconds: often enough to look smooth. With many texts the
# interval grows, since each time costs the server the same.
SMOOTH, SLOWEST = 0.08, 0.5
_SMOOTH_TEXTS = 5  # the most texts that are all sent at the smooth rate


def stream(
    engine: Engine | Scheduler,
    tokenizer: CharTokenizer,
    prompt: str,
    length: int,
    config: SamplingConfig,
) -> Iterator[list[Drawn]]:
    """Yield what a model writes after a prompt of known characters, in batches as it is sent.

    A batch is empty while the text waits for its turn. A rerun, Stop or a closed tab ends the
    consuming script, and with it the text, before the next batch.
    """
    text = engine.write(start_ids(tokenizer, prompt), length, config, owner=_visitor())
    with closing(text):
        while (batch := text.take(_interval(engine.texts))) is not None:
            _ = st.session_state.get("any")  # any st.* call lets Streamlit end the script
            yield batch


def _interval(texts: int) -> float:
    return min(SLOWEST, SMOOTH * max(1.0, texts / _SMOOTH_TEXTS))


def _visitor() -> str:
    """The same for all tabs of a browser; without cookies, a different one for each tab."""
    context = get_script_run_ctx()
    return st.context.cookies.get("_streamlit_xsrf") or (context.session_id if context else "")

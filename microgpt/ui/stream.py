"""Generation on the pages, which ends when the visitor stops it or leaves."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from microgpt.engine import Drawn, Engine, Scheduler
from microgpt.generate import start_ids
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.progress import end_if_asked
from microgpt.ui.server import BROWSER

# The seconds between two batches of a growing text: short enough to look smooth. With many texts
# the time is longer, because each batch costs the server the same work.
SMOOTH, SLOWEST = 0.08, 0.5
_SMOOTH_TEXTS = 5  # the most texts with the smooth interval


def stream(
    engine: Engine | Scheduler,
    tokenizer: CharTokenizer,
    prompt: str,
    length: int,
    config: SamplingConfig,
    drawn: Sequence[int] = (),
) -> Iterator[list[Drawn]]:
    """Yield the characters that a model writes after a prompt of known characters, in batches.

    drawn: the ids that it wrote after the prompt earlier, with the same config; it continues there.

    A batch is empty while the text waits for its turn. A rerun, the Stop button or a closed browser
    tab ends the script, and with it the text, before the next batch.
    """
    ids = [*start_ids(tokenizer, prompt), *drawn]
    text = engine.write(ids, length, config, owner=_browser(), drawn=len(drawn))
    with closing(text):
        while (batch := text.take(_interval(engine.texts))) is not None:
            end_if_asked()
            yield batch


def _interval(texts: int) -> float:
    return min(SLOWEST, SMOOTH * max(1.0, texts / _SMOOTH_TEXTS))


def _browser() -> str:
    """An id that all tabs of a browser share; without cookies, each tab has its own."""
    context = get_script_run_ctx()
    return st.context.cookies.get(BROWSER) or (context.session_id if context else "")

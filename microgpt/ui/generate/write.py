"""The Generate page's view: a prompt, settings, and the text as it is written."""

import time
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.checkpoint import Checkpoint
from microgpt.generate import generate
from microgpt.hub import Loaded
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui import cache
from microgpt.ui.widgets import sampling_controls, set_text, text_control

EXAMPLES = {
    "A sailor speaks": "FIRST SAILOR:\nThe lamp is out, and still the wind",
    "A queen decides": "QUEEN:\nMy lords, the winter is not done with us,\nAnd ",
    "A scene opens": "SHEPHERD:\nWho comes so late across the hill?\n\nSTRANGER:\n",
}
# The text a page opens with is at most this long: nobody asked to wait for more.
OPENING_LENGTH = 400
# Of a longer prompt only the end is shown above what follows it.
LONGEST_PROMPT = 500
# A text is sent to the browser this often: smooth to the eye, light on the connection.
FLUSH_SECONDS = 0.05


@dataclass
class Written:
    """A generation, finished or not; it stays on the page until the next one."""

    prompt: str
    config: SamplingConfig
    length: int
    fingerprint: str
    text: str = ""
    rate: float | None = None
    over: bool = False


def write_view(loaded: Loaded) -> None:
    """The whole page below its header."""
    checkpoint = loaded.checkpoint
    _examples(checkpoint.tokenizer)
    prompt = text_control(
        checkpoint,
        "Prompt",
        EXAMPLES["A sailor speaks"],
        "prompt",
        when_empty="The prompt is empty, so the model starts from a new line.",
    )
    known = prompt is not None
    config, length = sampling_controls(checkpoint.tokenizer)
    with st.container(horizontal=True):
        wanted = st.button(
            "Write",
            type="primary",
            icon=":material/play_arrow:",
            shortcut="Mod+Enter",
            disabled=not known,
        )
        stop = st.empty()
    written = st.session_state.get("written")
    if written is not None:
        written.over = True  # if it was still being written, this very rerun stopped it
    status, page = st.empty(), st.empty()
    # An example was chosen: it is written at once, as if Write had been pressed.
    wanted = st.session_state.pop("write_now", False) or wanted
    if wanted and known:
        written = Written(prompt, config, length, checkpoint.fingerprint)
        st.session_state["written"] = written
        stop.button("Stop", icon=":material/stop:", shortcut="Esc", key="stop")
        _stream(checkpoint, written, page, status)
        stop.empty()
    elif written is None or written.fingerprint != checkpoint.fingerprint:
        if not known:
            return
        length = min(length, OPENING_LENGTH)
        text = cache.finished_text(checkpoint, prompt, length, config)
        written = Written(prompt, config, length, checkpoint.fingerprint, text, None, True)
        st.session_state["written"] = written
    _show(page, written)
    _status(status, written, earlier=prompt != written.prompt)


def _examples(tokenizer: CharTokenizer) -> None:
    with st.container(horizontal=True):
        for name, text in EXAMPLES.items():
            if not tokenizer.unknown(text):
                st.button(name, on_click=_write_example, args=(text,))


def _write_example(text: str) -> None:
    set_text("prompt", text)
    st.session_state["write_now"] = True


def _stream(
    checkpoint: Checkpoint, written: Written, page: DeltaGenerator, status: DeltaGenerator
) -> None:
    """Write until the length is reached; any rerun ends the loop at its next flush."""
    stream = generate(
        checkpoint.model, checkpoint.tokenizer, written.prompt, written.length, written.config
    )
    written.text = next(stream).text
    started = flushed = time.perf_counter()
    for count, character in enumerate(stream, start=1):
        if written.over:
            return
        written.text += character.text
        now = time.perf_counter()
        written.rate = count / (now - started)
        if now - flushed > FLUSH_SECONDS:
            flushed = now
            _show(page, written)
            _status(status, written)
    written.over = True


def _show(page: DeltaGenerator, written: Written) -> None:
    prompt = written.prompt
    if len(prompt) > LONGEST_PROMPT:
        prompt = "…" + prompt[-LONGEST_PROMPT:]
    page.code(prompt + written.text, language=None, wrap_lines=True)


def _status(status: DeltaGenerator, written: Written, earlier: bool = False) -> None:
    config = written.config
    parts = [f"{len(written.text):,} characters after the prompt"]
    if not written.over:
        parts[0] += f", of {written.length:,}"
    elif len(written.text) < written.length:
        parts[0] += f", stopped before {written.length:,}"
    if written.rate is not None:
        parts.append(f"{written.rate:,.0f} characters/s")
    parts.append(f"temperature {config.temperature:g}")
    parts.append(f"top-k {config.top_k}")
    parts.append(f"seed {config.seed}")
    if earlier:
        parts.append("from an earlier prompt")
    status.caption(" · ".join(parts))

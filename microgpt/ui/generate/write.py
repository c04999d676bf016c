"""The Generate page's first view: a prompt, settings, and the text as it is written."""

import secrets
import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.checkpoint import Checkpoint
from microgpt.hub import Loaded
from microgpt.tokenizer import CharTokenizer
from microgpt.ui import cache
from microgpt.ui.generate.next_character import next_character
from microgpt.ui.generate.record import open_record, take_home
from microgpt.ui.generate.written import (
    Written,
    branch,
    current,
    show_from_now_on,
    write_next,
)
from microgpt.ui.tokens import Feed, Picked, token_text
from microgpt.ui.widgets import sampling_controls, set_text, text_control

EXAMPLES = {
    "A sailor speaks": "FIRST SAILOR:\nThe lamp is out, and still the wind",
    "A queen decides": "QUEEN:\nMy lords, the winter is not done with us,\nAnd ",
    "A scene opens": "SHEPHERD:\nWho comes so late across the hill?\n\nSTRANGER:\n",
}
# A page opens with a text this long at once; a longer one is seen as it is written.
OPENING_LENGTH = 400
# Of a longer prompt only the end is shown above what follows it.
LONGEST_PROMPT = 500
# A text is sent to the browser this often: smooth to the eye, light on the connection.
FLUSH_SECONDS = 0.08
# So many characters at most are computed for a visitor who has stopped, gone on or left.
CHECK_EVERY = 8


def write_view(loaded: Loaded) -> None:
    """All of the tab."""
    checkpoint = loaded.checkpoint
    wanted = st.session_state.pop("write_now", False)
    _examples(checkpoint.tokenizer)
    prompt = text_control(
        checkpoint,
        "Prompt",
        EXAMPLES["A sailor speaks"],
        "prompt",
        when_empty="The prompt is empty, so the model starts from a new line.",
    )
    config, length = sampling_controls(checkpoint.tokenizer)
    with st.container(horizontal=True):
        wanted |= st.button(
            "Write",
            type="primary",
            icon=":material/play_arrow:",
            shortcut="Mod+Enter",
            disabled=prompt is None,
        )
        st.button(
            "Another seed",
            icon=":material/casino:",
            disabled=prompt is None,
            on_click=_draw_seed,
            help="Draws a seed and writes with it.",
        )
        stop = st.empty()
    written = current()
    if written is not None:
        written.over = True  # if it was still being written, this very rerun stopped it
    status, page, feed = st.empty(), st.container(), st.container()
    stale = written is None or written.fingerprint != checkpoint.fingerprint
    if prompt is not None and (wanted or stale):
        written = Written.begin(checkpoint, prompt, length, config)
        written.parted_from = st.session_state.pop("parting", None)
        if not wanted and length <= OPENING_LENGTH:
            trace = cache.finished(checkpoint, prompt, length, config)
            written = Written.of(checkpoint, prompt, trace, config)
        show_from_now_on(written)
        if not written.over:
            stop.button("Stop", icon=":material/stop:", shortcut="Esc", key="stop")
            _show(page, loaded, written)
            _stream(checkpoint, written, Feed(written.name, feed), status)
            st.rerun()
    elif written is None or stale:
        return
    _status(status, written, earlier=prompt != written.prompt)
    _show(page, loaded, written)
    next_character(checkpoint, written, prompt, config)
    take_home(loaded, written)
    open_record(loaded)


def _examples(tokenizer: CharTokenizer) -> None:
    with st.container(horizontal=True):
        for name, text in EXAMPLES.items():
            if not tokenizer.unknown(text):
                st.button(name, on_click=write_next, kwargs={"prompt": text})


def _draw_seed() -> None:
    write_next(seed=secrets.randbelow(10_000))


def _stream(checkpoint: Checkpoint, written: Written, feed: Feed, status: DeltaGenerator) -> None:
    """Write until the length is reached; any rerun ends the loop within CHECK_EVERY characters."""
    started = flushed = time.perf_counter()
    for character in cache.stream(checkpoint, written.prompt, written.length, written.config):
        written.add(character)
        now = time.perf_counter()
        if written.count == 1:
            started = now  # reading the prompt is no part of the rate
        elif now - flushed > FLUSH_SECONDS:
            flushed = now
            written.rate = (written.count - 1) / (now - started)
            feed.send(written.trace, written.config)
            _status(status, written)
        elif written.count % CHECK_EVERY == 0 and current() is not written:
            return
    if written.count > 1:
        written.rate = (written.count - 1) / (time.perf_counter() - started)
    written.over = True


def _show(page: DeltaGenerator, loaded: Loaded, written: Written) -> None:
    """The text, beside the line it parted from if there is one."""
    with page:
        if written.parted_from is None:
            _line(loaded, written, "written line")
            return
        new, old = st.columns(2)
        earlier, at = written.parted_from
        with new:
            st.caption("The new line")
            _line(loaded, written, "written line")
        with old:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(f"The line it left at character {at + 1}", width="stretch")
                st.button("Back to this one", on_click=_go_back, args=(earlier,))
            _line(loaded, earlier, "earlier line", mark=at)


def _line(loaded: Loaded, written: Written, key: str, mark: int | None = None) -> None:
    tokenizer, origin = loaded.checkpoint.tokenizer, loaded.origin
    prompt = written.prompt
    if len(prompt) > LONGEST_PROMPT:
        prompt = "…" + prompt[-LONGEST_PROMPT:]

    def pick(picked: Picked) -> None:
        if picked.token is not None:
            branch(tokenizer, written, picked.at, picked.token)
        else:
            st.session_state["chosen"] = (written, picked.at)

    token_text(
        key,
        written.name,
        tokenizer,
        prompt,
        written.trace,
        written.config,
        live=not written.over,
        mark=mark,
        link={"repo": f"{origin.name}@{origin.commit}"} if origin.commit else {},
        on_pick=pick,
    )


def _go_back(written: Written) -> None:
    show_from_now_on(written)
    set_text("prompt", written.prompt)
    st.session_state["chosen"] = (None, 0)


def _status(status: DeltaGenerator, written: Written, earlier: bool = False) -> None:
    config = written.config
    parts = [f"{written.count:,} characters after the prompt"]
    if not written.over:
        parts[0] += f", of {written.length:,}"
    elif written.count < written.length:
        parts[0] += f", stopped before {written.length:,}"
    if written.rate is not None:
        parts.append(f"{written.rate:,.0f} characters/s")
    parts += [f"temperature {config.temperature:g}", f"top-k {config.top_k}"]
    parts += [f"top-p {config.top_p:g}", f"seed {config.seed}"]
    if earlier:
        parts.append("from an earlier prompt")
    status.caption(" · ".join(parts))

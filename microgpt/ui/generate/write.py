"""The Write tab: a prompt, sampling settings, and the text while it is written."""

import secrets
import time
from dataclasses import asdict

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.checkpoint import Checkpoint
from microgpt.tokenizer import CharTokenizer
from microgpt.ui import cache
from microgpt.ui.components.tokens.tokens import Feed, Picked, token_text
from microgpt.ui.generate.controls import (
    EXAMPLES,
    PROMPT,
    prompt_control,
    sampling_controls,
    widget_values,
)
from microgpt.ui.generate.next_character import next_character
from microgpt.ui.generate.record import open_record, take_home
from microgpt.ui.generate.written import (
    Written,
    branch,
    current,
    is_asked_for,
    show_from_now_on,
    take_asked,
    write_next,
)
from microgpt.ui.stream import stream
from microgpt.ui.text_input import fits_link, set_text

# The page opens with a finished text up to this length; a longer one is shown while it is written.
OPENING_LENGTH = 400
# How often a growing text is sent: often enough to look smooth, without loading the connection.
FLUSH_SECONDS = 0.08


def write_view(checkpoint: Checkpoint) -> None:
    """Write a text after the prompt and show it while it grows."""
    _examples(checkpoint.tokenizer)
    prompt = prompt_control(checkpoint)
    pressed, stop = _buttons(disabled=prompt is None)
    config, length = sampling_controls(checkpoint)
    written = current()
    if written is not None:
        written.end()  # this rerun has stopped a text that was still being written
    status, page, feed = st.empty(), st.container(), st.container(gap=None)
    stale = written is None or written.fingerprint != checkpoint.fingerprint
    # While a checkpoint loads, a requested text waits and the page shows a short one.
    awaited = st.session_state.get("checkpoint_awaited", False)
    wanted = pressed or (is_asked_for() and not awaited)
    slow = length > OPENING_LENGTH or config.exact
    if prompt is not None and (wanted or (stale and not awaited and slow)):
        written = Written.begin(checkpoint, prompt, length, config)
        written.parted_from = take_asked()
        show_from_now_on(written)
        stop.button("Stop", icon=":material/stop:", shortcut="Esc", key="stop")
        _show(page, checkpoint, written)
        _write(checkpoint, written, Feed(written.name, feed), status)
        st.rerun()
    elif prompt is not None and stale:
        text = cache.finished(checkpoint, prompt, min(length, OPENING_LENGTH), config)
        written = Written.of(checkpoint, prompt, length, config, text)
        show_from_now_on(written)
    elif stale:
        return
    assert written is not None  # None is stale
    changed = "prompt" * (prompt != written.prompt)
    if not changed and (config, length) != (written.config, written.length):
        changed = "settings"
    _status(status, checkpoint, written, changed)
    _show(page, checkpoint, written)
    if _of_other_weights(checkpoint):
        st.caption("The link was made with another checkpoint, so this text differs.")
    next_character(checkpoint, written, prompt, config)
    take_home(checkpoint, written)
    open_record(checkpoint)


def _examples(tokenizer: CharTokenizer) -> None:
    with st.container(horizontal=True):
        for name, text in EXAMPLES.items():
            if not tokenizer.unknown(text):
                st.button(name, on_click=write_next, kwargs={"prompt": text})


def _buttons(disabled: bool) -> tuple[bool, DeltaGenerator]:
    """Whether Write was pressed, and an empty place for the Stop button."""
    with st.container(horizontal=True):
        pressed = st.button(
            "Write",
            type="primary",
            icon=":material/play_arrow:",
            shortcut="Mod+Enter",
            disabled=disabled,
        )
        st.button(
            "Try another seed",
            icon=":material/casino:",
            disabled=disabled,
            on_click=_draw_seed,
            help="Chooses a random seed and writes a new text with it.",
        )
        return pressed, st.empty()


def _draw_seed() -> None:
    write_next(seed=secrets.randbelow(10_000))


def _write(checkpoint: Checkpoint, written: Written, feed: Feed, status: DeltaGenerator) -> None:
    """Write until the length is reached or a rerun ends the script."""
    engine = cache.engine(checkpoint)
    started = flushed = time.perf_counter()
    tokenizer, config = checkpoint.tokenizer, written.config
    for character in stream(engine.decoder(), tokenizer, written.prompt, written.length, config):
        written.add(character)
        now = time.perf_counter()
        if written.count == 1:
            started = now  # the rate leaves out the reading of the prompt
        elif now - flushed > FLUSH_SECONDS:
            flushed = now
            written.rate, written.path = (written.count - 1) / (now - started), engine.path
            feed.send(written.packing.parts(written.predictions))
            _status(status, checkpoint, written)
    if written.count > 1:
        written.rate = (written.count - 1) / (time.perf_counter() - started)
        written.path = engine.path
    written.end()


def _show(page: DeltaGenerator, checkpoint: Checkpoint, written: Written) -> None:
    """Show the text; if it is a branch, beside the text that it left."""
    with page:
        if written.parted_from is None:
            _line(checkpoint, written, "written line")
            return
        new, old = st.columns(2)
        earlier, at = written.parted_from
        with new:
            st.caption("The new text")
            _line(checkpoint, written, "written line", mark=-1)
        with old:
            st.caption(f"The earlier text; the new one differs from character {at + 1} on")
            _line(checkpoint, earlier, "earlier line", mark=at)
            st.button("Go back to this text", on_click=_go_back, args=(earlier,))


def _line(checkpoint: Checkpoint, written: Written, key: str, mark: int | None = None) -> None:
    tokenizer = checkpoint.tokenizer

    def pick(picked: Picked) -> None:
        if picked.token is not None:
            branch(tokenizer, written, picked.at, picked.token)
        else:
            st.session_state["chosen"] = (written, picked.at)

    token_text(
        key,
        written.name,
        tokenizer,
        written.prompt,
        written.predictions,
        written.packing,
        live=not written.over,
        mark=mark,
        link=_link(checkpoint, written),
        on_pick=pick,
    )


def _link(checkpoint: Checkpoint, written: Written) -> dict[str, str] | None:
    """The query parameters of a link to a text; None if the prompt is too long for a link."""
    if not fits_link(written.prompt):
        return None
    shown = widget_values(checkpoint.tokenizer, asdict(written.config))
    settings = {"prompt": written.prompt, "length": written.length, **shown}
    settings["exact"] = str(written.config.exact).lower()
    assert checkpoint.weights_sha256 and checkpoint.origin  # it was loaded
    settings["weights"] = checkpoint.weights_sha256[:12]
    if checkpoint.origin.commit:
        settings["repo"] = f"{checkpoint.origin.name}@{checkpoint.origin.commit}"
    return {name: str(value) for name, value in settings.items()}


def _of_other_weights(checkpoint: Checkpoint) -> bool:
    """Whether the page was opened by a link that was made with other weights."""
    return not (checkpoint.weights_sha256 or "").startswith(st.query_params.get("weights", ""))


def _go_back(written: Written) -> None:
    show_from_now_on(written)
    set_text(PROMPT, written.prompt)


def _status(
    status: DeltaGenerator, checkpoint: Checkpoint, written: Written, changed: str = ""
) -> None:
    config = written.config
    parts = [f"{written.count:,} characters after the prompt"]
    if not written.over:
        parts[0] += f", of {written.length:,}"
    elif written.count < written.length:
        parts[0] += f", stopped before {written.length:,}"
    if written.rate is not None:
        parts.append(f"{written.rate:,.0f} characters/s")
    parts.append(f"engine: {written.path or cache.engine(checkpoint).path}")
    parts += [config.summary, f"seed {config.seed}"]
    if config.exact:
        parts.append("exact past the window")
    with status.container():
        st.caption(" · ".join(parts))
        if changed:
            st.caption(
                f":material/edit: You changed the {changed} after this text was written. "
                "Press Write for a new one."
            )

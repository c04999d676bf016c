"""The Write tab: a prompt, sampling settings, and the text while it is generated."""

import secrets
import time
from dataclasses import asdict

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.components.tokens.tokens import Feed, Picked, token_text
from microgpt.ui.generate.controls import (
    EXAMPLES,
    PROMPT,
    prompt_control,
    sampling_controls,
    widget_values,
)
from microgpt.ui.generate.generated_text import (
    GeneratedText,
    branch,
    current_text,
    is_requested,
    request_text,
    select_character,
    show_text,
    take_request,
)
from microgpt.ui.generate.next_character import next_character
from microgpt.ui.generate.record import open_record, text_downloads
from microgpt.ui.stream import stream
from microgpt.ui.text_input import fits_link, set_text

# The page opens with a finished text if it is no longer than this; a longer text appears
# character by character.
OPENING_LENGTH = 400


def write_view(checkpoint: Checkpoint) -> None:
    """Show the prompt, the settings and a text, which appears while the model writes it."""
    prompt = prompt_control(checkpoint)
    pressed, stop = _buttons(checkpoint, disabled=prompt is None)
    config, length = sampling_controls(checkpoint)
    generated = current_text()
    if generated is not None:
        generated.finish()  # this rerun has stopped a text that was still being generated
    status, page, feed = st.empty(), st.container(), st.container(gap=None)
    stale = generated is None or generated.fingerprint != checkpoint.fingerprint
    # While a checkpoint loads, a requested text waits and the page shows a short text.
    loading = st.session_state.get("checkpoint_loading", False)
    requested = pressed or (is_requested() and not loading)
    opening = cache.within_memory(checkpoint, OPENING_LENGTH)
    slow = length > opening or config.exact
    if prompt is not None and (requested or (stale and not loading and slow)):
        generated = GeneratedText.empty(checkpoint, prompt, length, config)
        generated.branched_from = take_request()
        show_text(generated)
        stop.button("Stop", icon=":material/stop:", shortcut="Esc", key="stop")
        _show(page, checkpoint, generated)
        _write(checkpoint, generated, Feed(generated.name, feed), status)
        st.rerun()
    elif prompt is not None and stale:
        text = cache.generated(checkpoint, prompt, min(length, opening), config)
        generated = GeneratedText.complete(checkpoint, prompt, length, config, text)
        show_text(generated)
    elif stale:
        return
    assert generated is not None  # None is stale
    changed = "prompt" * (prompt != generated.prompt)
    if not changed and (config, length) != (generated.config, generated.length):
        changed = "settings"
    _status(status, checkpoint, generated, changed)
    _show(page, checkpoint, generated)
    if _made_with_other_weights(checkpoint):
        st.caption("This link was made with another checkpoint, so the text is different.")
    next_character(checkpoint, prompt, config)
    text_downloads(checkpoint, generated)
    open_record(checkpoint)


def _buttons(checkpoint: Checkpoint, disabled: bool) -> tuple[bool, DeltaGenerator]:
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
        for name, text in EXAMPLES.items():
            if checkpoint.training.on_tiny_shakespeare and not checkpoint.tokenizer.unknown(text):
                st.button(
                    name,
                    on_click=request_text,
                    kwargs={"prompt": text},
                    help="Writes a text after this example.",
                )
        return pressed, st.empty()


def _draw_seed() -> None:
    request_text(seed=secrets.randbelow(10_000))


def _write(
    checkpoint: Checkpoint, generated: GeneratedText, feed: Feed, status: DeltaGenerator
) -> None:
    """Generate the text until its length is reached or a rerun ends the script."""
    engine = cache.engine(checkpoint)
    tokenizer, config = checkpoint.tokenizer, generated.config
    started = time.perf_counter()
    for drawn in stream(engine, tokenizer, generated.prompt, generated.length, config):
        generated.extend(drawn)
        if not generated.count:
            at_once = f" The model writes {engine.texts} texts at once." * (engine.texts > 1)
            status.caption(f"Your text starts in a moment.{at_once}")
            continue
        generated.rate = generated.count / (time.perf_counter() - started)
        generated.backend = engine.backend
        feed.send(generated.packing.parts(generated.predictions))
        _status(status, checkpoint, generated)
    generated.finish()


def _show(page: DeltaGenerator, checkpoint: Checkpoint, generated: GeneratedText) -> None:
    """Show the text; show a branch beside the text that it branches from."""
    with page:
        if generated.branched_from is None:
            _text(checkpoint, generated, "new text")
            return
        new, old = st.columns(2)
        earlier, at = generated.branched_from
        with new:
            st.caption("The new text.")
            _text(checkpoint, generated, "new text", mark=-1)
        with old:
            st.caption(f"The earlier text. The new text differs from character {at + 1} on.")
            _text(checkpoint, earlier, "earlier text", mark=at)
            st.button("Go back to this text", on_click=_go_back, args=(earlier,))


def _text(
    checkpoint: Checkpoint, generated: GeneratedText, key: str, mark: int | None = None
) -> None:
    tokenizer = checkpoint.tokenizer

    def pick(picked: Picked) -> None:
        if picked.token is not None:
            branch(tokenizer, generated, picked.at, picked.token)
        else:
            select_character((generated, picked.at))

    token_text(
        key,
        generated.name,
        tokenizer,
        generated.prompt,
        generated.predictions,
        generated.packing,
        live=not generated.finished,
        mark=mark,
        link=_link(checkpoint, generated),
        on_pick=pick,
    )


def _link(checkpoint: Checkpoint, generated: GeneratedText) -> dict[str, str] | None:
    """The query parameters of a link to a text; None if the prompt is too long for a link."""
    if not fits_link(generated.prompt):
        return None
    shown = widget_values(checkpoint.tokenizer, asdict(generated.config))
    settings = {"prompt": generated.prompt, "length": generated.length, **shown}
    settings["exact"] = str(generated.config.exact).lower()
    assert checkpoint.weights_sha256 and checkpoint.origin  # it was loaded
    settings["weights"] = checkpoint.weights_sha256[:12]
    if checkpoint.origin.commit:
        settings["repo"] = f"{checkpoint.origin.name}@{checkpoint.origin.commit}"
    return {name: str(value) for name, value in settings.items()}


def _made_with_other_weights(checkpoint: Checkpoint) -> bool:
    """Whether the page was opened by a link that was made with other weights."""
    return not (checkpoint.weights_sha256 or "").startswith(st.query_params.get("weights", ""))


def _go_back(generated: GeneratedText) -> None:
    show_text(generated)
    set_text(PROMPT, generated.prompt)


def _status(
    status: DeltaGenerator, checkpoint: Checkpoint, generated: GeneratedText, changed: str = ""
) -> None:
    config = generated.config
    parts = [f"{generated.count:,} characters after the prompt"]
    if not generated.finished:
        parts[0] += f", of {generated.length:,}"
    elif generated.count < generated.length:
        parts[0] += f", stopped before {generated.length:,}"
    if generated.rate is not None:
        parts.append(f"{generated.rate:,.0f} characters/s")
    parts.append(f"engine: {generated.backend or cache.engine(checkpoint).backend}")
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

"""The Write tab: a prompt, sampling settings, and the text while it is generated."""

import secrets
import time
from dataclasses import asdict

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.checkpoint import Checkpoint
from microgpt.sampling import SamplingConfig
from microgpt.ui.attention.steps import look_inside
from microgpt.ui.cache.writing import engine_of, within_memory, written_text
from microgpt.ui.components.tokens.tokens import Feed, Picked, token_text
from microgpt.ui.generate.controls import (
    IN_VIEW,
    LENGTH,
    MAX_CHARACTERS,
    PROMPT,
    other_settings,
    prompt_control,
    sampling_row,
    sampling_sliders,
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
from microgpt.ui.generate.steps import score_text
from microgpt.ui.glossary import caption
from microgpt.ui.inside.steps import take_the_tour, why_this_written_one
from microgpt.ui.next_steps import next_steps
from microgpt.ui.opened import CHOSEN
from microgpt.ui.stream import stream
from microgpt.ui.text_input import fits_link

# The page opens with a finished text if it is no longer than this; a longer text appears
# character by character.
OPENING_LENGTH = 400
MORE = 400  # characters to add to a text that has all that were requested


def write_view(checkpoint: Checkpoint) -> None:
    """Show the prompt, the settings and a text, which appears while the model writes it."""
    prompt = prompt_control(checkpoint)
    with sampling_row():
        settings = sampling_sliders(checkpoint.tokenizer, names=IN_VIEW)
        action = st.empty()
        pressed = action.button(
            "Write",
            type="primary",
            icon=":material/play_arrow:",
            shortcut="Mod+Enter",
            disabled=prompt is None,
        )
        go_on = st.empty()
        st.button(
            "New seed",
            icon=":material/casino:",
            disabled=prompt is None,
            on_click=_draw_seed,
            help="Chooses a random seed and writes a new text with it.",
        )
        others, length = other_settings(checkpoint)
    config = SamplingConfig(**settings, **others)
    most = within_memory(checkpoint, MAX_CHARACTERS)
    generated = current_text()
    if generated is not None:
        generated.finish()  # this rerun has stopped a text that was still being generated
    outdated, page, feed, status = st.empty(), st.container(), st.container(gap=None), st.empty()
    stale = generated is None or generated.fingerprint != checkpoint.fingerprint
    # While a checkpoint loads, a requested text waits and the page shows a short text.
    loading = st.session_state.get("checkpoint_loading", False)
    requested = pressed or (is_requested() and not loading)
    opening = within_memory(checkpoint, OPENING_LENGTH)
    slow = length > opening or config.exact
    new = None
    if _take_go_on() and generated is not None and not stale and generated.count < length:
        new = generated.continued(length)
    elif prompt is not None and (requested or (stale and not loading and slow)):
        new = GeneratedText.empty(checkpoint, prompt, length, config)
        new.branched_from = take_request()
    if new is not None:
        show_text(new)
        action.button(
            "Write",
            icon=":material/play_arrow:",
            shortcut="Mod+Enter",
            disabled=True,
            key="writing",
        )
        # Where Go on appears once the text is stopped.
        go_on.button("Stop", type="primary", icon=":material/stop:", shortcut="Esc", key="stop")
        _show(page, checkpoint, new)
        _write(checkpoint, new, Feed(new.name, feed), status)
        st.rerun()
    elif prompt is not None and stale:
        text = written_text(checkpoint, prompt, min(length, opening), config)
        generated = GeneratedText.complete(checkpoint, prompt, length, config, text)
        show_text(generated)
    elif stale:
        return
    assert generated is not None  # None is stale
    _go_on_button(go_on, generated, most)
    changed = "prompt" * (prompt != generated.prompt)
    if not changed and (config, length) != (generated.config, generated.length):
        changed = "settings"
    if changed:
        outdated.caption(
            f":material/edit: You changed the {changed} after this text was written. "
            "Press Write for a new one."
        )
    _status(status, checkpoint, generated)
    _show(page, checkpoint, generated)
    with page:
        next_steps(score_text(_whole(checkpoint, generated)), take_the_tour())
    if _made_with_other_weights(checkpoint):
        caption("This link was made with another checkpoint, so the text is different.")
    next_character(checkpoint, prompt, config)
    text_downloads(checkpoint, generated)
    open_record(checkpoint)


def _draw_seed() -> None:
    request_text(seed=secrets.randbelow(10_000))


def _go_on_button(place: DeltaGenerator, generated: GeneratedText, most: int) -> None:
    place.button(
        "Go on",
        key="resume" if generated.stopped else "go_on_button",
        disabled=generated.count >= most,
        on_click=_request_go_on,
        args=(generated.count, most),
        help="Continues the text with the settings that wrote it. The result is the same as if the "
        "text had never been stopped.",
    )


def _request_go_on(count: int, most: int) -> None:
    """Request the missing characters of a text with `count`, or MORE if it has all of them."""
    if LENGTH.value <= count:
        LENGTH.choose(min(most, count + MORE))
    st.session_state["go_on"] = True


def _take_go_on() -> bool:
    return st.session_state.pop("go_on", False)


def _write(
    checkpoint: Checkpoint, generated: GeneratedText, feed: Feed, status: DeltaGenerator
) -> None:
    """Generate the rest of the text until its length is reached or a rerun ends the script."""
    engine = engine_of(checkpoint)
    tokenizer, config = checkpoint.tokenizer, generated.config
    started, before = time.perf_counter(), generated.count
    ids, length = generated.predictions.tokens.tolist(), generated.length - before
    for drawn in stream(engine, tokenizer, generated.prompt, length, config, ids):
        generated.extend(drawn)
        if generated.count == before:
            at_once = f" The model writes {engine.texts} texts at once." * (engine.texts > 1)
            status.caption(f"Your text starts in a moment.{at_once}")
            continue
        generated.rate = (generated.count - before) / (time.perf_counter() - started)
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
            caption("The new text.")
            _text(checkpoint, generated, "new text", mark=-1)
        with old:
            caption(f"The earlier text. The new text differs from character {at + 1} on.")
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
        stopped=generated.stopped,
        mark=mark,
        link=_link(checkpoint, generated),
        on_pick=pick,
        branches=True,
        explain=why_this_written_one(checkpoint, generated.prompt, generated.predictions),
        step=look_inside(checkpoint, _whole(checkpoint, generated)) if generated.finished else None,
    )


def _whole(checkpoint: Checkpoint, generated: GeneratedText) -> str:
    """A text with its prompt."""
    return generated.prompt + checkpoint.tokenizer.decode(generated.predictions.tokens)


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
    if CHOSEN.key in st.query_params:
        settings[CHOSEN.key] = st.query_params[CHOSEN.key]
    return {name: str(value) for name, value in settings.items()}


def _made_with_other_weights(checkpoint: Checkpoint) -> bool:
    """Whether the page was opened by a link that was made with other weights."""
    return not (checkpoint.weights_sha256 or "").startswith(st.query_params.get("weights", ""))


def _go_back(generated: GeneratedText) -> None:
    show_text(generated)
    PROMPT.choose(generated.prompt)


def _status(status: DeltaGenerator, checkpoint: Checkpoint, generated: GeneratedText) -> None:
    config = generated.config
    parts = [f"{generated.count:,} characters after the prompt"]
    if not generated.finished:
        parts[0] += f", of {generated.length:,}"
    elif generated.stopped:
        parts[0] += f", stopped before {generated.length:,}"
    if generated.rate is not None:
        parts.append(f"{generated.rate:,.0f} characters/s")
    parts.append(f"engine: {generated.backend or engine_of(checkpoint).backend}")
    parts += [config.summary, f"seed {config.seed}"]
    if config.exact:
        parts.append("exact")
    status.caption(" · ".join(parts))

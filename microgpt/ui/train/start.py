"""The Train page: a run, or the start of one with a text, a model and one button."""

import streamlit as st

from microgpt.checkpoint import AnyCheckpoint
from microgpt.config import GPTConfig
from microgpt.errors import MicroGPTError
from microgpt.training.finish import Source
from microgpt.training.jobs import KEEP_ENDED_MINUTES
from microgpt.training.operator import Settings
from microgpt.training.sizes import SIZES, Size
from microgpt.ui.cache.training import (
    estimated_seconds,
    jobs,
    parameter_count,
    training_settings,
)
from microgpt.ui.glossary import caption
from microgpt.ui.page import in_words
from microgpt.ui.text import counted, escaped
from microgpt.ui.train.run import duration, run_view, sentence, show_run, shown_run
from microgpt.ui.train.settings import Recipe, recipe_controls, size_control
from microgpt.ui.train.text import Text, checked_text, chosen_text, show_corpus

_PRIVACY = (
    "Only someone with the link of your run can see it and its model. Your text is deleted from "
    "the server when the run ends, and everything else "
    f"{KEEP_ENDED_MINUTES} minutes after the last visit."
)


def train_view(checkpoint: AnyCheckpoint) -> None:
    """Show the run of the link, or what is needed to start one.

    checkpoint: the one of the other pages, which training does not change.
    """
    if run := shown_run():
        run_view(run)
    else:
        _start_view(training_settings())


def _start_view(settings: Settings) -> None:
    """Show the choice of a text and of a model, and the button that trains it."""
    if not settings.at_once:
        _say_off(settings)
    left, right = st.columns(2, gap="medium")
    try:
        with left:
            name, content = chosen_text()
        with right:
            if content.strip():
                _model(checked_text(name, content), settings)
            else:
                st.info("There is no text yet. What the model will see of it appears here.")
    except MicroGPTError as error:
        right.error(escaped(f"{error.for_visitors}."))
    if settings.at_once:
        caption(_PRIVACY)


def _model(text: Text, settings: Settings) -> None:
    """Show the choice of the model, what it will see of the text, and the button."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        size = SIZES[size_control()]
        recipe = recipe_controls(size, text.corpus)
        problem = _problem(text, recipe)
        pressed = st.button(
            "Train",
            type="primary",
            icon=":material/model_training:",
            disabled=bool(problem) or not settings.at_once,
        )
    line = st.empty()
    if problem:
        line.error(escaped(problem))
    else:
        count = in_words(parameter_count(recipe.model))
        about = f"{sentence(_about(size, recipe.model))} {count} parameters"
        line.caption(f"{about}.")
    show_corpus(text.corpus)
    if pressed:
        _start(text, recipe)
    elif not problem and settings.at_once:  # last, because it may take a second
        seconds = estimated_seconds(recipe.model, recipe.train)
        line.caption(f"{about}; {_time(seconds, settings.minutes)}.")


def _about(size: Size, model: GPTConfig) -> str:
    """What is special about a model of this size, or its shape if the settings changed that."""
    shape = model.n_layer, model.n_head, model.block_size
    if shape == (size.model.n_layer, size.model.n_head, size.model.block_size):
        return size.about
    layers, heads, characters = map(counted, shape, ("layer", "head", "character"))
    return f"{layers} of {heads}, which can look back {characters}"


def _problem(text: Text, recipe: Recipe) -> str | None:
    """Why a model cannot be trained on a text, a sentence; None if it can."""
    longest = text.corpus.longest
    if recipe.model.block_size <= longest:
        return None
    needed = 10 * recipe.model.block_size + 1
    sentence = (
        f"A context length of {recipe.model.block_size} needs a text of at least {needed:,} "
        f"characters; this one has {text.corpus.characters:,}."
    )
    return f"{sentence} Paste a longer text" + (
        ", or choose a shorter context length under Settings." if longest else "."
    )


def _start(text: Text, recipe: Recipe) -> None:
    """Put a run into the queue and show it."""
    source = Source(text.name, recipe.preset, "the Train page of the app")
    try:
        run = jobs().submit(text.content, recipe.model, recipe.train, source)
    except MicroGPTError as error:
        st.error(escaped(f"{error.for_visitors}."))
        return
    show_run(run)
    st.rerun()


def _time(seconds: float, minutes: float) -> str:
    if seconds > 60 * minutes:
        return (
            f"it would take about {duration(seconds)} here, and this app ends a run after "
            f"{duration(60 * minutes)} and keeps what it has learned"
        )
    return f"about {duration(seconds)} here, longer while the server is busy"


def _say_off(settings: Settings) -> None:
    """Say that this app trains no models, and how to train one elsewhere."""
    why = sentence(settings.reason or "this app does not train models")
    st.info(
        f"{why} You can train one on your own machine, with a copy of this app. Save your text as "
        "my.txt first, then run:"
    )
    st.code(
        "python -m microgpt train --preset tiny --data my.txt --out runs/mine\n"
        "MICROGPT_CHECKPOINT=runs/mine streamlit run app.py",
        language="bash",
    )

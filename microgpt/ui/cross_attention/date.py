"""The input of the Cross-attention page, and what is known about its translation."""

import streamlit as st

from microgpt import dates
from microgpt.analysis.translation_maps import longest_source
from microgpt.checkpoint import PairCheckpoint
from microgpt.errors import MicroGPTError
from microgpt.pairs import SourceError, source_ids
from microgpt.tokenizer import UnknownCharacterError
from microgpt.ui.components.translation.shown import Verdict
from microgpt.ui.cross_attention.controls import DATE
from microgpt.ui.text import escaped
from microgpt.ui.text_input import check_characters

# The longest text in the input, in characters; a model reads much shorter ones.
_MOST = 250
_LABEL = "A date in words"


def examples(checkpoint: PairCheckpoint) -> list[str]:
    """Texts to begin with: those of the snapshots, or else phrases of the task."""
    snapshots, tokenizer = checkpoint.snapshots, checkpoint.tokenizer
    texts = snapshots.example_texts(tokenizer) if snapshots is not None else dates.EXAMPLES
    readable = [text for text in texts if problem(checkpoint, text) is None]
    # A model of another task may know no letter of a date.
    return readable or [tokenizer.characters.strip()[:1]]


def date_control(checkpoint: PairCheckpoint) -> str | None:
    """Show the input and the examples in a row; return the text, None if the model cannot read it.

    What is wrong with the text is said in one sentence below.
    """
    texts = examples(checkpoint)
    DATE.follow_default(texts[0])
    with st.container(key="examples", horizontal=True, vertical_alignment="center", gap="small"):
        text = st.text_input(
            _LABEL,
            texts[0],
            max_chars=_MOST,
            width=300,
            label_visibility="collapsed",
            placeholder=_LABEL,
            **DATE.widget_args,
        )
        for each in texts:
            if each != text:
                st.button(each, type="tertiary", on_click=DATE.choose, args=(each,))
    with st.container():  # see text_control: a new note must not move the widgets below
        if (found := problem(checkpoint, text)) is None:
            return text
        if isinstance(found, UnknownCharacterError):
            check_characters(checkpoint.tokenizer, _LABEL, DATE, text)
        else:
            st.error(escaped(f"{_LABEL}: {found.for_visitors}."))
    return None


def problem(checkpoint: PairCheckpoint, text: str) -> MicroGPTError | None:
    """Why the page cannot show the translation of a text; None if it can."""
    try:
        source_ids(checkpoint.tokenizer, checkpoint.config, text)
    except (SourceError, UnknownCharacterError) as error:
        return error
    if len(text) > (most := longest_source(checkpoint.config)):
        return SourceError(
            f"the text has {len(text)} characters, and the page shows the maps of this model for "
            f"at most {most}; shorten it"
        )
    return None


def verdict(checkpoint: PairCheckpoint, text: str, output: str) -> Verdict:
    """Whether an output is the date that a text says."""
    if checkpoint.training.config.task != "dates":
        return Verdict("unknown", "")
    phrase = dates.read(text)
    if phrase is None:
        return Verdict(
            "unknown",
            f"No date from {dates.FIRST.year} to {dates.LAST.year} in a form that the model "
            "knows. It still writes something.",
        )
    order = " With slashes, the month comes first." if "/" in text else ""
    if output != phrase.iso:
        return Verdict("wrong", f"Wrong: it is {phrase.iso}.{order}")
    is_new = dates.is_held_out(phrase.date)
    new = ", and no phrase of this date was in its training" if is_new else ""
    return Verdict("right", f"Right{new}.{order}")

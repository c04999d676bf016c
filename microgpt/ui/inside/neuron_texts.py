"""The texts on which neurons are scored, and what is found on them."""

import streamlit as st

from microgpt.analysis.neuron_scores import KINDS, Found
from microgpt.analysis.neurons import max_scored
from microgpt.checkpoint import Checkpoint
from microgpt.sampling import SamplingConfig
from microgpt.ui.allowed import OneOf
from microgpt.ui.cache.inside import has_validation_text, neuron_scores, validation_text
from microgpt.ui.cache.writing import within_memory, written_text
from microgpt.ui.charts import style
from microgpt.ui.inside.controls import NEURON_TEXT, SCORED_ON
from microgpt.ui.text_input import text_control

_WRITTEN, _THIS, _OWN, _VALIDATION = (
    "a text it writes",
    "this text",
    "your own text",
    "validation split",
)
_LENGTH = 512  # of the text that the model writes


def source_control(checkpoint: Checkpoint) -> str:
    """Show the choice of the text on which the neurons are scored."""
    sources = [_WRITTEN, _THIS, _OWN]
    if has_validation_text(checkpoint):
        sources.append(_VALIDATION)
    return st.segmented_control(
        "Scored on",
        sources,
        default=_WRITTEN,
        required=True,
        **SCORED_ON.args(OneOf(sources, _WRITTEN)),
        help="The longer the text, the surer the scores.",
    )


def scored_text(checkpoint: Checkpoint, source: str, text: str) -> str:
    """The text on which the neurons are scored; the page's text if there is no other one."""
    most, found = max_scored(checkpoint.config), None
    if source == _WRITTEN:
        found = _written(checkpoint)
    elif source == _VALIDATION:
        found = validation_text(checkpoint)
    elif source == _OWN:
        found = text_control(
            checkpoint,
            "Your own text",
            text,
            NEURON_TEXT,
            when_empty="The text is empty, so the neurons are scored on the text on the left.",
            when_long="the model reads it in parts",
            max_length=most,
        )
    return found or text[-most:]


def _written(checkpoint: Checkpoint) -> str:
    """A text that the model wrote, always the same."""
    most = within_memory(checkpoint, max_scored(checkpoint.config))
    written = written_text(checkpoint, "", min(_LENGTH, most), SamplingConfig())
    return checkpoint.tokenizer.decode(written.tokens)


def clearest_found(checkpoint: Checkpoint) -> Found | None:
    """The neuron of the first layer with the clearest score; None if the text is too short."""
    return neuron_scores(checkpoint, _written(checkpoint), 0).clearest()


def kind_name(kind: str) -> str:
    """A kind, in words."""
    return kind if kind in KINDS else f"the character {style.isolated(style.sign(kind))}"

"""The whole model at one position of a text, from the characters to the next character."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from microgpt.analysis.explain import EXPLAINED, Source, explain
from microgpt.analysis.explanation import Number
from microgpt.analysis.position import attention_parts, embedding_parts, mlp_parts
from microgpt.checkpoint import Checkpoint
from microgpt.sampling import SamplingConfig, Uniforms
from microgpt.ui.allowed import Numbers, OneOf
from microgpt.ui.attention.controls import PASSAGE, QUERY, TEXT, shown_part
from microgpt.ui.cache.inside import position_of, residual_stream, sharpest_head
from microgpt.ui.components.model_flow.model_flow import (
    Shown,
    answered,
    model_flow,
    unique_name,
)
from microgpt.ui.generate.controls import sampling_sliders
from microgpt.ui.glossary import caption
from microgpt.ui.inside.controls import (
    BLOCK,
    BLOCK_HEAD,
    PICTURE_SAMPLING,
    THROUGH,
    position_control,
)
from microgpt.ui.inside.explanations import Words
from microgpt.ui.inside.number_tables import number_tables
from microgpt.ui.inside.steps import steps_from, take_the_tour
from microgpt.ui.inside.tour import STEP as TOUR_STEP
from microgpt.ui.next_steps import next_steps
from microgpt.ui.text_input import default_text, text_control

_CLOSED = "none"
# The session's key of the number that was explained last.
_EXPLAINED = "explained number"


def model_view(checkpoint: Checkpoint) -> None:
    """Show the whole model at one position of the text."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.popover("Another text"):
            text = text_control(
                checkpoint,
                "Text",
                default_text(checkpoint, PASSAGE),
                TEXT,
                when_empty="The text is empty. Type at least one character.",
            )
            text = shown_part(checkpoint, text) if text else None
        if not TOUR_STEP.value:  # while a tour is on, its row leads there
            tour = take_the_tour()
            st.button(tour.label, icon=":material/tour:", on_click=tour.take)
        caption(
            "Choose a character of the text, open a layer, and point at any number, or tap it, to "
            "see how it came about.",
            width="content",
        )
    if not text:
        st.info("The text cannot be shown. Open “Another text” to change it.")
        return
    place = st.container()
    with st.expander("As a table", key="number_tables", on_change="rerun") as tables:
        at = position_control(text)
        layer, head = _open_block(checkpoint, text)
        shown = _shown(checkpoint, text, at, layer, head)
        if tables.open:  # they take long to make
            number_tables(checkpoint, shown)
    with place:
        asked = st.session_state.get(_EXPLAINED)
        number, words = _number(shown, asked), Words(checkpoint.config, text, at, shown.vocabulary)
        stream = residual_stream(checkpoint, text)
        found = explain(Source(checkpoint.model, stream, at, shown.position), number)
        answer = answered(shown, number, words.explained(number, found), asked)
        with st.container(key="hidden_sampling"):  # it keeps the sliders of the picture in the link
            sampling = sampling_sliders(checkpoint.tokenizer, PICTURE_SAMPLING)
        choose = partial(_choose, text, at, shown.vocabulary)
        model_flow("model_flow", shown, sampling, answer, choose, _set_sampling, _request)
        caption(_about(checkpoint))
        next_steps(*steps_from(THROUGH))


def _open_block(checkpoint: Checkpoint, text: str) -> tuple[int | None, int]:
    """Show the controls of the open block and its head; return both from 0, None if all closed.

    The head is by default the one with the largest weight at the end of the text.
    """
    config = checkpoint.config
    with st.container(horizontal=True):
        names = [*range(1, config.n_layer + 1), _CLOSED]
        middle = (config.n_layer + 1) // 2
        block = st.selectbox(
            "Open layer", names, names.index(middle), **BLOCK.args(OneOf(names, middle))
        )
        head = 1
        if config.n_head > 1:
            layer = middle if block == _CLOSED else block
            sharpest = sharpest_head(checkpoint, text, layer - 1) + 1
            BLOCK_HEAD.follow_default(sharpest)
            allowed = Numbers(1, config.n_head, sharpest)
            head = st.number_input("Head", 1, config.n_head, sharpest, **BLOCK_HEAD.args(allowed))
    return None if block == _CLOSED else block - 1, head - 1


def _shown(checkpoint: Checkpoint, text: str, at: int, layer: int | None, head: int) -> Shown:
    model, found = checkpoint.model, position_of(checkpoint, text, at)
    return Shown(
        name=unique_name(checkpoint.fingerprint, text, at),
        text=text,
        at=at,
        token=checkpoint.tokenizer.encode(text[at])[0],
        vocabulary=checkpoint.tokenizer.characters,
        config=checkpoint.config,
        position=found,
        embedding=embedding_parts(found),
        blocks=[
            (attention_parts(model, index, block), mlp_parts(model, index, block))
            for index, block in enumerate(found.blocks)
        ],
        open=layer,
        head=head,
        uniform=Uniforms(SamplingConfig().seed).draw(),
        parameters=model.parameter_count(),
    )


def _number(shown: Shown, asked: Number | None) -> Number:
    """The number to explain: the one that the visitor asked for, or else the highest logit."""
    if asked is not None and _exists(shown, asked):
        return asked
    return Number("logit", index=int(shown.position.logits.argmax()))


def _exists(shown: Shown, number: Number) -> bool:
    """Whether the model that is shown has this number at this position."""
    config = shown.config
    channels, size, keys = config.n_embd, config.head_size, shown.at + 1
    counts = dict.fromkeys(EXPLAINED, channels) | {
        "query": size,
        "score": keys,
        "weight": keys,
        "mixed": size,
        "neuron": channels * config.mlp_ratio,
        "logit": config.vocab_size,
        "length": 2 * config.n_layer + 1,
        "attended_share": 1,
        "attention_share": config.n_head + config.linear_bias + config.residual,
        "mlp_share": 1 + config.residual,
    }
    return (
        0 <= number.index < counts.get(number.kind, 0)
        and 0 <= number.layer < config.n_layer
        and 0 <= number.head < config.n_head
    )


def _choose(text: str, at: int, vocabulary: Sequence[str], what: str, value: int) -> None:
    """Take over a choice that was made in the component. For a callback.

    text, at: the text and the position that were shown.
    """
    if what == "write":
        if 0 <= value < len(vocabulary) and at == len(text) - 1:
            TEXT.choose(text + vocabulary[value])  # and the position follows the end
    elif what == "query":
        QUERY.choose(value + 1)
    elif what == "block":
        BLOCK.choose(_CLOSED if value < 0 else value + 1)
    else:
        BLOCK_HEAD.choose(value + 1)


def _set_sampling(values: Mapping[str, float]) -> None:
    """Take over the sliders of the component. For a callback."""
    for name, value in values.items():
        PICTURE_SAMPLING[name].choose(value)


def _request(number: Number) -> None:
    """Have the next run explain a number. For a callback."""
    st.session_state[_EXPLAINED] = number


def _about(checkpoint: Checkpoint) -> str:
    """What the picture shows, and what this model lacks."""
    config = checkpoint.config
    sentences = [
        "The width of the residual stream, and of what flows into it, is the length of the vector. "
        "A percentage is the share of a part in the new stream; the shares sum to 100 %."
    ]
    if not config.residual:
        sentences.append(
            "This model has no residual connections: each step replaces the stream before it."
        )
    if config.norm == "none":
        sentences.append("This model has no LayerNorm.")
    elif config.norm == "blocks":
        sentences.append("This model has no LayerNorm before its output head.")
    return " ".join(sentences)

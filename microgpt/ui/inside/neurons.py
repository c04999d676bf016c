"""The Neurons tab: when a neuron of an MLP fires, and which characters it promotes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from microgpt.analysis.neuron_scores import Found, NeuronScores
from microgpt.analysis.neurons import activations, direct_effect, reaches_logits, strongest
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.ui.allowed import Numbers, OneOf
from microgpt.ui.attention.controls import text_and_controls
from microgpt.ui.cache.inside import has_validation_text, mlp_inputs, neuron_scores, residual_stream
from microgpt.ui.charts import neurons as neuron_charts
from microgpt.ui.charts import style
from microgpt.ui.charts.tables import for_page, to_csv
from microgpt.ui.components.neurons.neurons import Passage, Row, neurons
from microgpt.ui.controls import CONTROL_WIDTH
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.inside.controls import NEURON, NEURON_LAYER, NEURONS
from microgpt.ui.inside.neuron_texts import kind_name, scored_text, source_control
from microgpt.ui.inside.steps import steps_from
from microgpt.ui.next_steps import next_steps
from microgpt.ui.text import markdown

_MOST_VALUES = 2**20  # of layer.csv, which then has about 8 MB
_PASSAGES, _AROUND = 6, 18  # how many are shown, and the characters on each side of the strongest


def neurons_view(checkpoint: Checkpoint) -> None:
    """Show the neurons of a layer that were found by score, and one of them on the text."""
    text, right = text_and_controls(checkpoint)
    if not text:
        return
    config = checkpoint.config
    with right:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            layer = _layer_control(config)
            place = st.container(width="content")
            source = source_control(checkpoint)
        scored = scored_text(checkpoint, source, text)
        scores = neuron_scores(checkpoint, scored, layer)
        with place:
            neuron = _neuron_control(config, scores.found())
        caption(_about(layer, scores.kind_of(neuron)))
    inputs = mlp_inputs(checkpoint, text)[layer]
    values = activations(checkpoint.model, inputs, layer, neuron).numpy()
    elsewhere = mlp_inputs(checkpoint, scored)[layer]
    neurons(
        "neurons",
        Passage(text, values, int(values.argmax())),
        [_row(each) for each in scores.found()],
        neuron,
        _passages(scored, activations(checkpoint.model, elsewhere, layer, neuron).numpy()),
        f"Where it is most active in {source}",
        _choose,
    )
    caption(_how_scored(checkpoint, source, scores))
    _effects(checkpoint, text, values, layer, neuron)
    _tables(checkpoint, text, values, layer, neuron, scores)
    next_steps(*steps_from(NEURONS))


def _layer_control(config: GPTConfig) -> int:
    """Show the control of the layer and return it, from 0."""
    options = range(1, config.n_layer + 1)
    layer = st.selectbox("Layer", options, **NEURON_LAYER.args(OneOf(options, 1)), width=72)
    return layer - 1


def _neuron_control(config: GPTConfig, found: Sequence[Found]) -> int:
    """Show the control of the neuron and return it, from 0; by default that of the first kind."""
    first = found[0].neuron + 1 if found else 1
    NEURON.follow_default(first)
    allowed = Numbers(1, config.mlp_ratio * config.n_embd, first)
    number = st.number_input(
        "Neuron", 1, allowed.most, first, **NEURON.args(allowed), width=CONTROL_WIDTH
    )
    return int(number) - 1


def _choose(neuron: int) -> None:
    """Choose a neuron, from 0. For a callback."""
    NEURON.choose(neuron + 1)


def _row(found: Found) -> Row:
    return Row(kind_name(found.kind), found.neuron, found.score, found.chance)


def _about(layer: int, best: Found | None) -> str:
    """What the chosen neuron tells apart, as Markdown."""
    if best is None:
        return "The text is too short to score neurons on it. Choose a longer one."
    kind, name = markdown(kind_name(best.kind)), f"Neuron {best.neuron + 1} of layer {layer + 1}"
    says = (
        f"{name} recognises {kind}. It"
        if best.score > best.chance
        else f"{name} recognises no kind of character better than chance. For {kind}, it"
    )
    return (
        f"{says} is more active at such a character than at another one in "
        f"{100 * best.score:.0f} % of all pairs. A coin toss would be right in 50 %; for random "
        f"positions, the best neuron of the layer reaches {100 * best.chance:.0f} %."
    )


def _how_scored(checkpoint: Checkpoint, source: str, scores: NeuronScores) -> str:
    missing = not has_validation_text(checkpoint)
    width = scores.scores.shape[1]
    return (
        f"The list has the best of the layer’s {width:,} neurons for each kind of character. The "
        "score is the area under the ROC curve: 0.5 is a coin toss, 1 is perfect. The line in a "
        f"bar is what the best neuron scores for random positions. Measured on {source} "
        f"({scores.positions:,} characters)."
        + (" The validation split is not on this server." if missing else "")
    )


def _passages(text: str, values: np.ndarray) -> list[Passage]:
    """The places of a text that excite a neuron most, the strongest first."""
    found = []
    for at in strongest(values.tolist(), _PASSAGES, apart=_AROUND):
        start = max(0, at - _AROUND)
        part = slice(start, at + _AROUND + 1)
        found.append(Passage(text[part], values[part], at - start, start))
    return found


def _effects(
    checkpoint: Checkpoint, text: str, values: np.ndarray, layer: int, neuron: int
) -> None:
    """Show which characters the neuron promotes and suppresses."""
    if not reaches_logits(checkpoint.config, layer):
        caption(
            "This model has no residual connections, so only neurons of its last layer reach the "
            "logits directly."
        )
        return
    at = int(values.argmax())
    activation = float(values[at]) or 1.0
    last = residual_stream(checkpoint, text).points[-1, at]
    effects = direct_effect(checkpoint.model, last, layer, neuron, activation).numpy()
    labels = style.visible(checkpoint.tokenizer.characters)
    st.plotly_chart(
        neuron_charts.promoted(effects, labels),
        height=260,
        config=style.menu("microgpt-neuron"),
        alt="Characters that the neuron promotes and suppresses",
    )
    name = markdown(style.position_names(text)[at])
    caption(
        f"What the neuron adds to the logits of the next character at {name}, where it is most "
        f"active in the text, with activation {activation:.2f}."
        if values[at]
        else "The neuron is silent on the text. This is what an activation of 1 would add to the "
        "logits of the next character."
    )
    with st.expander("How the effect is computed"):
        caption(
            "The neuron adds its column of the down-projection, times its activation, to the "
            "residual stream. This goes through the final LayerNorm, whose scale at that position "
            "is kept, and through the output head. The mean over all characters is subtracted, "
            "because it changes no probability. What later layers make of it is not counted."
        )
        frame = pd.DataFrame({"character": labels, "added to the logit": effects})
        frame = frame.sort_values("added to the logit", ascending=False, kind="stable")
        number = st.column_config.NumberColumn(format="%+.4f")
        st.dataframe(for_page(frame), hide_index=True, column_config={"added to the logit": number})


def _tables(
    checkpoint: Checkpoint,
    text: str,
    values: np.ndarray,
    layer: int,
    neuron: int,
    scores: NeuronScores,
) -> None:
    """Show the activations and the scores as tables, with downloads."""
    characters = {"position": range(1, len(text) + 1), "character": style.visible(text)}
    activation = pd.DataFrame({**characters, "activation": values})
    ranking = pd.DataFrame(
        [
            {
                "fires on": kind_name(each.kind),
                "neuron": each.neuron + 1,
                "score": each.score,
                "score by chance": each.chance,
                "positions": count,
            }
            for each, count in zip(scores.found(), scores.counts, strict=True)
        ]
    )

    def whole_layer(of: Checkpoint) -> str:
        inputs = mlp_inputs(of, text)[layer]
        of_all = activations(of.model, inputs, layer).numpy()
        columns = {f"neuron {i}": of_all[:, i - 1] for i in range(1, of_all.shape[1] + 1)}
        return to_csv(pd.DataFrame({**characters, **columns}), "%.5g")

    with st.expander("As tables"):
        left, right = st.columns(2)
        with left:
            number = st.column_config.NumberColumn(format="%.3f")
            st.dataframe(
                for_page(activation), hide_index=True, column_config={"activation": number}
            )
        with right:
            st.dataframe(
                for_page(ranking),
                hide_index=True,
                column_config=dict.fromkeys(["score", "score by chance"], number),
            )
    name = f"microgpt-layer-{layer + 1}"
    with st.container(horizontal=True):
        download(
            "neuron.csv",
            lambda: to_csv(activation, "%.6g"),
            f"{name}-neuron-{neuron + 1}.csv",
            "The activations of this neuron on the text.",
        )
        if len(text) * scores.scores.shape[1] <= _MOST_VALUES:
            download(
                "layer.csv",
                whole_layer,
                f"{name}-neurons.csv",
                "The activations of all neurons of the layer on the text.",
                of=checkpoint,
            )
        download("scores.csv", lambda: to_csv(ranking, "%.6g"), f"{name}-scores.csv")
    if len(text) * scores.scores.shape[1] > _MOST_VALUES:
        caption(
            f"layer.csv, with all neurons of the layer, would have more than {_MOST_VALUES:,} "
            "values. Choose a shorter text to download it."
        )

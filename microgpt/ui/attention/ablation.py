"""The Ablation tab: what the model predicts and writes with some heads switched off."""

import numpy as np
import pandas as pd
import streamlit as st

from microgpt.analysis.ablation import AblationEffect, ablate_each_head, ablation_effect
from microgpt.analysis.predictions import Predictions, first_difference, model_probs, of_text
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.sampling import SamplingConfig
from microgpt.ui import cache
from microgpt.ui.allowed import SomeOf
from microgpt.ui.attention.controls import VIEW, attention_text, image_control, image_format
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.charts import text as text_charts
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.components.tokens.tokens import Packing, token_text
from microgpt.ui.controls import control, is_count, is_list_of
from microgpt.ui.download import download
from microgpt.ui.progress import progress_bar

OFF = control("off", is_list_of(is_count), saved=VIEW, numbered=True)

# Short, because each change of a switch writes two texts.
LENGTH = 160
SAMPLING = SamplingConfig()


def ablation_view(checkpoint: Checkpoint) -> None:
    """Show the loss, the next character and a continuation with and without some heads."""
    text = attention_text(checkpoint)
    if not text:
        return
    st.caption(
        "An ablation switches off a part of a model to see what this part does. Choose the heads "
        "to switch off."
    )
    left, right = st.columns([5, 6], gap="medium")
    with left:
        ablated = _switches(checkpoint.config)
    ids = checkpoint.tokenizer.encode(text)
    whole = cache.attention_maps(checkpoint, text).logits
    # Without an ablation, reuse the logits, because the ablated model may round differently.
    without = cache.logits_without(checkpoint, text, ablated) if ablated else whole
    with right:
        _metrics(ablation_effect(ids, whole, without), of_text(ids, whole))
        both = (model_probs(logits[-1]).numpy() for logits in (whole, without))
        _next_character(checkpoint, *both)
    _continuations(checkpoint, text, ablated)
    _ranking(checkpoint, text, ids)
    image_control()


def _switches(config: GPTConfig) -> frozenset[tuple[int, int]]:
    """Show a switch for each head; return the heads that are off, (layer, head) from 0."""
    off: set[tuple[int, int]] = set()
    for layer in range(config.n_layer):
        heads = range(1, config.n_head + 1)
        numbers = st.pills(
            f"Layer {layer + 1}",
            heads,
            selection_mode="multi",
            format_func=_label,
            **OFF.at(layer + 1).args(SomeOf(heads, label=_label)),
        )
        off |= {(layer, number - 1) for number in numbers}
    st.button("Switch all on", on_click=_all_on, args=(config.n_layer,), disabled=not off)
    return frozenset(off)


def _label(head: int) -> str:
    return f"H{head}"


def _all_on(layers: int) -> None:
    for layer in range(1, layers + 1):
        st.session_state[OFF.at(layer).key] = []


def _metrics(effect: AblationEffect, whole: Predictions) -> None:
    with st.container(horizontal=True):
        if effect.loss_change is not None:
            st.metric(
                "Loss on the text (nats)",
                f"{whole.loss + effect.loss_change:.3f}",
                f"{effect.loss_change:+.3f}" if effect.loss_change else None,
                delta_color="inverse",
                help="Mean surprisal in nats per character, over all characters except the first.",
            )
        st.metric(
            "Change of the prediction (nats)",
            f"{effect.next_kl_divergence:.3f}",
            help="How much the prediction of the next character changes: the Kullback-Leibler "
            "divergence between the distributions with all heads and without these heads.",
        )


def _next_character(checkpoint: Checkpoint, whole: np.ndarray, without: np.ndarray) -> None:
    """Show the probabilities (V,) of the next character with all heads and without some."""
    labels = style.visible(checkpoint.tokenizer.characters)
    names = ("with all heads", "without these heads")
    st.plotly_chart(
        text_charts.distribution(whole, without, labels, names=names),
        height=300,
        config=style.menu("microgpt-heads-off", image_format()),
        alt="Probability of the next character with all heads and without some",
    )
    st.caption(
        "The prediction of the next character after the text. Dashes: with all heads. Bars: "
        f"without these heads.{text_charts.bars_shown(len(labels))}"
    )
    table = pd.DataFrame({"character": labels, names[0]: whole, names[1]: without})
    table = table.sort_values(names[0], ascending=False, kind="stable")
    with st.expander("As a table"):
        number = st.column_config.NumberColumn(format="%.3g")
        st.dataframe(table, hide_index=True, column_config=dict.fromkeys(names, number))


def _continuations(checkpoint: Checkpoint, text: str, ablated: frozenset[tuple[int, int]]) -> None:
    st.subheader("What the model writes next", anchor=False)
    shown = {"With all heads": frozenset(), **({"Without these heads": ablated} if ablated else {})}
    length = cache.within_memory(checkpoint, LENGTH)
    texts = [
        cache.generated_without(checkpoint, text, length, SAMPLING, heads)
        for heads in shown.values()
    ]
    difference = first_difference(*texts) if ablated else None
    # Always two columns, so that the first text does not move when the second appears.
    for column, name, predictions in zip(st.columns(2), shown, texts, strict=False):
        with column:
            st.markdown(f"**{name}**")
            token_text(
                name,
                f"{name} {hash((text, ablated, checkpoint.fingerprint))}",
                checkpoint.tokenizer,
                text,
                predictions,
                Packing(SAMPLING),
                mark=difference,
            )
    settings = f"seed {SAMPLING.seed} and temperature {SAMPLING.temperature:g}"
    if not ablated:
        st.caption(f"Written with {settings}. Switch heads off to compare the texts.")
    elif difference is None:
        st.caption(f"Both texts use {settings}. They are the same.")
    else:
        st.caption(f"Both texts use {settings}. The mark shows where they first differ.")


def _ranking(checkpoint: Checkpoint, text: str, ids: list[int]) -> None:
    """Show the effect of ablating one head at a time, after the visitor presses the button."""
    st.subheader("The most important heads", anchor=False)
    pressed = st.button("Switch off one head at a time", icon=":material/leaderboard:")
    effects = cache.session_result(
        "head_effects",
        (checkpoint.fingerprint, text),
        (lambda: _effects(checkpoint, ids)) if pressed else None,
    )
    if effects is None:
        return
    frame = pd.DataFrame(
        [
            {
                "layer": layer + 1,
                "head": head + 1,
                "change of the last prediction (nats)": effect.next_kl_divergence,
                "mean change (nats)": effect.kl_divergence,
                "loss change (nats)": effect.loss_change,
            }
            for (layer, head), effect in effects.items()
        ]
    )
    st.plotly_chart(
        attention_charts.head_values(frame, "mean change (nats)"),
        height=90 + 40 * checkpoint.config.n_layer,
        config=style.menu("microgpt-head-effects", image_format()),
        alt="Change of the predictions without each head",
    )
    st.caption(
        "How much the predictions over the text change when only this head is off. In the table, a "
        "negative loss change means that the model predicts this text better without the head."
    )
    order = frame.sort_values("mean change (nats)", ascending=False)
    number = st.column_config.NumberColumn(format="%.4f")
    st.dataframe(order, hide_index=True, column_config=dict.fromkeys(order.columns[2:], number))
    download("heads.csv", lambda: to_csv(order), "heads.csv")


def _effects(checkpoint: Checkpoint, ids: list[int]) -> dict[tuple[int, int], AblationEffect]:
    """The effect of ablating one head, for each (layer, head) from 0."""
    heads = checkpoint.config.n_layer * checkpoint.config.n_head
    effects = {}
    with progress_bar("Switching heads off …") as show:
        for layer, head, effect in ablate_each_head(checkpoint.model, ids):
            effects[layer, head] = effect
            show(len(effects), heads)
    return effects

"""The Ablation tab: what the model predicts and writes with some heads ablated."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from microgpt.analysis.ablation import AblationEffect, ablate_each_head, ablation_effect
from microgpt.analysis.predictions import Predictions, first_difference, model_probs, of_text
from microgpt.analysis.presets import Preset, presets
from microgpt.checkpoint import Checkpoint
from microgpt.sampling import SamplingConfig
from microgpt.ui.attention.controls import attention_text, image_control, image_format
from microgpt.ui.attention.steps import ABLATION, steps_from
from microgpt.ui.attention.switchboard import Heads, switches
from microgpt.ui.cache.attention import attention_maps, logits_without
from microgpt.ui.cache.predictions import distribution_figure
from microgpt.ui.cache.results import session_result
from microgpt.ui.cache.writing import within_memory, written_text_without
from microgpt.ui.charts import heads as head_charts
from microgpt.ui.charts import style
from microgpt.ui.charts import text as text_charts
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.components.tokens.tokens import Packing, token_text
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.next_steps import next_steps
from microgpt.ui.progress import progress_bar

# Short, because each change of a switch writes two texts.
LENGTH = 160
SAMPLING = SamplingConfig()


def ablation_view(checkpoint: Checkpoint) -> None:
    """Show the loss, the next character and a continuation with and without some heads."""
    left, right = st.columns([6, 5], gap="medium")
    with left:
        text = attention_text(checkpoint)
        if not text:
            return
        metrics = st.container()
        found = presets(checkpoint.head_scores) if checkpoint.head_scores else []
        ablated = switches(checkpoint, found)
        caption(_about(found, ablated))
    ids = checkpoint.tokenizer.encode(text)
    whole = attention_maps(checkpoint, text).logits
    # Without an ablation, reuse the logits, because the ablated model may round differently.
    without = logits_without(checkpoint, text, ablated) if ablated else whole
    with metrics:
        _metrics(ablation_effect(ids, whole, without), of_text(ids, whole))
    with right:
        both = (model_probs(logits[-1]).numpy() for logits in (whole, without))
        _next_character(checkpoint, *both)
    _continuations(checkpoint, text, ablated)
    _ranking(checkpoint, text, ids)
    image_control()
    next_steps(*steps_from(ABLATION, checkpoint, text, None))


def _about(found: Sequence[Preset], ablated: Heads) -> str:
    """What the switches do, or what is known about the heads that are off."""
    if not ablated:
        missing = [each.about for each in found if not each.heads]
        return " ".join(["A coloured head is on. Switch heads off to see what they do.", *missing])
    same = (each.about for each in found if frozenset(each.heads) == ablated)
    return next(same, "The loss and the chart show the model without the heads that are off.")


def _metrics(effect: AblationEffect, whole: Predictions) -> None:
    with st.container(key="effect", horizontal=True):
        if effect.loss_change is not None:
            st.metric(
                "Loss (nats per character)",
                f"{whole.loss + effect.loss_change:.3f}",
                f"{effect.loss_change:+.3f}" if effect.loss_change else None,
                delta_color="inverse",
                help="Loss on the text: the mean surprisal (−ln of the probability) over all "
                "characters except the first. Lower is better.",
            )
        st.metric(
            "Change of prediction (nats)",
            f"{effect.next_kl_divergence:.3f}",
            help="How much the prediction of the next character changes: the Kullback-Leibler "
            "divergence between the distributions with all heads and without these heads.",
        )


def _next_character(checkpoint: Checkpoint, whole: np.ndarray, without: np.ndarray) -> None:
    """Show the probabilities (V,) of the next character with all heads and without some."""
    labels = style.visible(checkpoint.tokenizer.characters)
    names = ("with all heads", "without these heads")
    st.plotly_chart(
        distribution_figure(whole, without, labels, names=names),
        height=300,
        config=style.menu("microgpt-heads-off", image_format()),
        alt="Probability of the next character with all heads and without some",
    )
    caption(
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
    length = within_memory(checkpoint, LENGTH)
    texts = [
        written_text_without(checkpoint, text, length, SAMPLING, heads) for heads in shown.values()
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
        caption(f"Written with {settings}. Switch heads off to compare the texts.")
    elif difference is None:
        caption(f"Both texts use {settings}. They are the same.")
    else:
        caption(f"Both texts use {settings}. The mark shows where they first differ.")


def _ranking(checkpoint: Checkpoint, text: str, ids: list[int]) -> None:
    """Show the effect of ablating one head at a time, after the visitor presses the button."""
    st.subheader("The most important heads", anchor=False)
    pressed = st.button("Switch off one head at a time", icon=":material/leaderboard:")
    effects = session_result(
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
                "loss change (nats per character)": effect.loss_change,
            }
            for (layer, head), effect in effects.items()
        ]
    )
    st.plotly_chart(
        head_charts.head_values(frame, "mean change (nats)"),
        height=90 + 40 * checkpoint.config.n_layer,
        config=style.menu("microgpt-head-effects", image_format()),
        alt="Change of the predictions without each head",
    )
    caption(
        "How much the predictions change when only this head is off, on average over the text. In "
        "the table, a negative loss change means that the model predicts this text better without "
        "the head."
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

"""Switch heads off, and see what the model predicts, loses and writes without them."""

import numpy as np
import pandas as pd
import streamlit as st

from microgpt.analysis.ablation import AblationEffect, ablate_each_head, ablation_effect
from microgpt.analysis.predictions import Predictions, first_difference, model_probs, of_text
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.sampling import SamplingConfig
from microgpt.ui import cache
from microgpt.ui.attention.controls import VIEW, attended_text, image_control, image_format
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.charts import text as text_charts
from microgpt.ui.components.tokens.tokens import Packing, token_text
from microgpt.ui.controls import control, is_count, is_list_of
from microgpt.ui.download import download

OFF = control("off", is_list_of(is_count), saved=VIEW, numbered=True)

# Two continuations are written at each flick of a switch.
LENGTH = 160
DRAWN = SamplingConfig()


def switchboard_view(checkpoint: Checkpoint) -> None:
    """Show what the model predicts, loses and writes without the heads that are off."""
    text = attended_text(checkpoint)
    if not text:
        return
    st.caption("Choose the heads to switch off; what they would have added is then left out.")
    switches, found = st.columns([5, 6], gap="medium")
    with switches:
        off = _switches(checkpoint.config)
    ids = checkpoint.tokenizer.encode(text)
    whole = cache.attention_maps(checkpoint, text).logits
    # With no head off the same numbers, not those of another way to them.
    without = cache.logits_without(checkpoint, text, off) if off else whole
    with found:
        _figures(ablation_effect(ids, whole, without), of_text(ids, whole))
        both = (model_probs(logits[-1]).numpy() for logits in (whole, without))
        _next_character(checkpoint, *both)
    _continuations(checkpoint, text, off)
    _ranking(checkpoint, text, ids)
    image_control()


def _switches(config: GPTConfig) -> frozenset[tuple[int, int]]:
    """The heads that are off, by layer and head from 0."""
    off: set[tuple[int, int]] = set()
    for layer in range(config.n_layer):
        numbers = st.pills(
            f"Layer {layer + 1}",
            range(1, config.n_head + 1),
            selection_mode="multi",
            format_func=lambda number: f"H{number}",
            **OFF.at(layer + 1).bound,
        )
        off |= {(layer, number - 1) for number in numbers}
    st.button("All on", on_click=_all_on, args=(config.n_layer,), disabled=not off)
    return frozenset(off)


def _all_on(layers: int) -> None:
    for layer in range(1, layers + 1):
        st.session_state[OFF.at(layer).key] = []


def _figures(found: AblationEffect, whole: Predictions) -> None:
    with st.container(horizontal=True):
        if found.loss_change is not None:
            st.metric(
                "Loss on the text",
                f"{whole.loss + found.loss_change:.3f}",
                f"{found.loss_change:+.3f}" if found.loss_change else None,
                delta_color="inverse",
                help="Nats per character, of each character but the first.",
            )
        st.metric(
            "Change of the next character",
            f"{found.next_divergence:.3f}",
            help="Nats: the Kullback-Leibler divergence of the distribution without those heads "
            "from the one with all of them.",
        )


def _next_character(checkpoint: Checkpoint, whole: np.ndarray, without: np.ndarray) -> None:
    """The probabilities (V,) of what comes after the text, with all heads and without some."""
    labels = style.visible(checkpoint.tokenizer.characters)
    st.plotly_chart(
        text_charts.distribution(whole, without, labels, changed="without those heads"),
        height=300,
        config=style.menu("microgpt-heads-off", image_format()),
        alt="Probability of the next character with all heads and without some",
    )
    st.caption("What comes after the text: bars without those heads, dashes with all of them.")
    names = ("with all heads", "without those heads")
    table = pd.DataFrame({"character": labels, names[0]: whole, names[1]: without})
    table = table.sort_values(names[0], ascending=False, kind="stable")
    with st.expander("As a table"):
        number = st.column_config.NumberColumn(format="%.3g")
        st.dataframe(table, hide_index=True, column_config=dict.fromkeys(names, number))


def _continuations(checkpoint: Checkpoint, text: str, off: frozenset[tuple[int, int]]) -> None:
    st.subheader("How it goes on", anchor=False)
    shown = {"With all heads": frozenset(), **({"Without those": off} if off else {})}
    texts = [
        cache.finished_without(checkpoint, text, LENGTH, DRAWN, each) for each in shown.values()
    ]
    parting = first_difference(*texts) if off else None
    # Two columns though one may be empty, so that what is there stays where it is.
    for column, name, written in zip(st.columns(2), shown, texts, strict=False):
        with column:
            st.markdown(f"**{name}**")
            token_text(
                name,
                f"{name} {hash((text, off, checkpoint.fingerprint))}",
                checkpoint.tokenizer,
                text,
                written,
                Packing(DRAWN),
                mark=parting,
            )
    drawn = f"with seed {DRAWN.seed} at temperature {DRAWN.temperature:g}"
    if not off:
        st.caption(f"Drawn {drawn}; switch heads off to see how it goes on without them.")
    elif parting is None:
        st.caption(f"Both are drawn {drawn}; they are the same.")
    else:
        st.caption(f"Both are drawn {drawn}; the mark is where they part.")


def _ranking(checkpoint: Checkpoint, text: str, ids: list[int]) -> None:
    """Every head by what its loss costs, when a visitor asks for it."""
    st.subheader("Which head matters most", anchor=False)
    pressed = st.button("Switch each head off by itself", icon=":material/leaderboard:")
    effects = cache.remembered(
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
                "change of the next character (nats)": found.next_divergence,
                "change over the text (nats)": found.divergence,
                "loss (nats)": found.loss_change,
            }
            for (layer, head), found in effects.items()
        ]
    )
    st.plotly_chart(
        attention_charts.head_values(frame, "change over the text (nats)"),
        height=90 + 40 * checkpoint.config.n_layer,
        config=style.menu("microgpt-head-effects", image_format()),
        alt="What the text's predictions lose without each head",
    )
    st.caption(
        "How far the predictions of every character move when one head is off; the table has the "
        "next character and the loss too, and can be sorted. Below 0 the loss is better without it."
    )
    order = frame.sort_values("change over the text (nats)", ascending=False)
    number = st.column_config.NumberColumn(format="%.4f")
    st.dataframe(order, hide_index=True, column_config=dict.fromkeys(order.columns[2:], number))
    download("heads.csv", lambda: order.to_csv(index=False), "heads.csv")


def _effects(checkpoint: Checkpoint, ids: list[int]) -> dict[tuple[int, int], AblationEffect]:
    """The effect of each head, by layer and head from 0, switched off by itself."""
    heads = checkpoint.config.n_layer * checkpoint.config.n_head
    bar = st.progress(0.0, "Switching heads off …")
    effects = {}
    for layer, head, found in ablate_each_head(checkpoint.model, ids):
        effects[layer, head] = found
        bar.progress(len(effects) / heads, f"Switched off {len(effects)} of {heads}")
    bar.empty()
    return effects

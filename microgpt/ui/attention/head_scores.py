"""The Head scores tab: scores of all heads, and where the attention of one head goes."""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from microgpt.analysis.attention import AttentionMaps, combined
from microgpt.analysis.head_patterns import PATTERNS, short_name
from microgpt.analysis.head_scores import MIN_LABEL_SCORE, Ablation, HeadScores, Repeated
from microgpt.analysis.heads import CLASSES, attention_by_class, attention_by_distance
from microgpt.checkpoint import Checkpoint
from microgpt.ui.allowed import Switch
from microgpt.ui.attention.controls import (
    image_control,
    image_format,
    selected_scores,
    text_and_controls,
    too_short,
)
from microgpt.ui.attention.steps import SCORES, steps_from
from microgpt.ui.cache.attention import attention_maps
from microgpt.ui.charts import heads as head_charts
from microgpt.ui.charts import style
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.controls import control
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.head_choice import Choice, head_choice
from microgpt.ui.next_steps import next_steps

_LOSS_CHANGE, _ENTROPY = "loss change (nats per character)", "entropy (nats)"
_REPEATED = "induction, random text"
_DISTANCE = "mean distance (characters)"
_MORE = control("more_scores")


def head_scores_view(checkpoint: Checkpoint) -> None:
    """Show the scores of all heads, and what one head attends to on the text."""
    text, controls = text_and_controls(checkpoint)
    if not text:
        return
    with controls:
        if len(text) < 2:
            caption(too_short(checkpoint))
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            scores = selected_scores(checkpoint, text, "Measure on")
            assert scores is not None  # the text is long enough
            more = st.toggle(
                "More scores",
                **_MORE.args(Switch()),
                help="Variants of induction, how widely the attention is spread, and how far it "
                "goes.",
            )
        caption(
            "Each score is the mean share of a head's attention that goes to one kind of "
            "character, from 0 to 1. The label of a head is its highest score, if that is at least "
            f"{MIN_LABEL_SCORE:g}."
        )
    measured = checkpoint.head_scores
    ablation = measured.ablation if measured else None
    frame = scores_frame(scores, ablation, measured.repeated if measured else None)
    shown = frame if more else frame.drop(columns=_hidden(), errors="ignore")
    st.dataframe(shown, hide_index=True, column_config=_columns())
    st.markdown("\n".join(f"- {each}" for each in sentences(scores, more)))
    with st.expander("How the scores are measured"):
        caption(
            "Point at the name of a column to see which characters it counts. A score is the mean "
            "over all positions that can attend to such a character, at most "
            f"{scores.positions:,} positions. For comparison, a head that attends equally to all "
            "characters has these scores: "
            + ", ".join(f"{short_name(name)} {value:.2f}" for name, value in scores.uniform.items())
            + "."
        )
        if measured and measured.repeated:
            caption(
                "For the column “random”, the text is all characters in a random order, "
                "written twice. Nothing but induction can predict its second half. A head that "
                "attends equally to all characters has the score "
                f"{measured.repeated.uniform:.3f} there."
            )
        if ablation:
            caption(
                "The loss change is the loss without this head minus the loss with it, measured "
                f"over {ablation.positions:,} positions of the validation split. If it is below 0, "
                "the model is better without the head."
            )
    download("heads.csv", lambda: to_csv(frame), "heads.csv")
    _one_head(checkpoint, text, attention_maps(checkpoint, text))


def sentences(scores: HeadScores, variants: bool) -> list[str]:
    """One sentence for each score, as Markdown: the head that has it most, and how much."""
    return [
        f"**{short_name(peak.name)}** ({PATTERNS[peak.name].about}): most in L{peak.layer + 1} "
        f"H{peak.head + 1}, {peak.score:.2f}; uniform attention would give {peak.uniform:.2f}."
        for peak in scores.peaks()
        if variants or not PATTERNS[peak.name].variant
    ]


def _hidden() -> list[str]:
    """The columns that the table shows only with more scores."""
    variants = [name for name, pattern in PATTERNS.items() if pattern.variant]
    return [*variants, _ENTROPY, _DISTANCE]


def _columns() -> dict[str, Any]:
    """The columns, so narrow that those that are always shown fit into a laptop's window."""
    number = st.column_config.NumberColumn
    return {
        "head": st.column_config.TextColumn(pinned=True, width=54),
        "label": st.column_config.TextColumn(width=110),
        **{
            name: number(
                short_name(name),
                format="%.2f",
                width=max(50, 7 * len(short_name(name)) + 13),
                help=f"Attention to {pattern.about}.",
            )
            for name, pattern in PATTERNS.items()
        },
        _REPEATED: number(
            "random",
            width=64,
            format="%.2f",
            help="Induction: attention, in random text that is written twice, to the character "
            "after the same character in the first half.",
        ),
        _LOSS_CHANGE: number(
            "loss change",
            width=86,
            format="%.4f",
            help="How much the loss rises when this head is switched off (an ablation), in nats "
            "per character.",
        ),
        _ENTROPY: number(
            format="%.2f",
            help="How widely the attention is spread. 0: all of it is on one character.",
        ),
        _DISTANCE: number(
            format="%.1f",
            help="How many characters back the attention goes, on average.",
        ),
    }


def scores_frame(
    scores: HeadScores, ablation: Ablation | None, repeated: Repeated | None
) -> pd.DataFrame:
    """One row for each head: name, label, loss change, scores, entropy and mean distance."""
    layers, heads = scores.entropy.shape
    rows = []
    for layer in range(layers):
        for head in range(heads):
            label = scores.label(layer, head)
            ablated, random = {}, {}
            if ablation is not None:
                ablated[_LOSS_CHANGE] = round(float(ablation.loss_change[layer, head]), 4)
            if repeated is not None:
                random[_REPEATED] = float(repeated.scores[layer, head])
            rows.append(
                {
                    "head": f"L{layer + 1} H{head + 1}",
                    "label": f"{short_name(label.name)} {label.score:.2f}" if label else "",
                    **ablated,
                    **{name: float(table[layer, head]) for name, table in scores.scores.items()},
                    **random,
                    _ENTROPY: round(float(scores.entropy[layer, head]), 3),
                    _DISTANCE: round(float(scores.distance[layer, head]), 2),
                }
            )
    return pd.DataFrame(rows)


def _one_head(checkpoint: Checkpoint, text: str, maps: AttentionMaps) -> None:
    """Show where the attention of one head goes, by class of character and by distance."""
    choice, _ = head_choice(checkpoint)
    heads = choice.heads(checkpoint.config)
    tokenizer = checkpoint.tokenizer
    classes = attention_by_class(maps.weights, tokenizer.encode(text), tokenizer)
    by_class = combined(classes, heads, "mean")
    by_distance = combined(attention_by_distance(maps.weights), heads, "mean")
    left, right = st.columns(2)
    with left:
        st.plotly_chart(
            head_charts.shares_by_class(CLASSES, by_class.tolist()),
            height=300,
            key="by class",
            config=style.menu("microgpt-by-class", image_format()),
            alt="Attention by class of character",
        )
    with right:
        st.plotly_chart(
            head_charts.shares_by_distance(by_distance.tolist()),
            height=300,
            key="by distance",
            config=style.menu("microgpt-by-distance", image_format()),
            alt="Attention by distance",
        )
    caption(
        "Where the attention goes in your text, by class of character and by distance. "
        "Distance 0 is the character itself."
    )
    _as_tables(choice, by_class.tolist(), by_distance.tolist())
    next_steps(*steps_from(SCORES, checkpoint, text, choice))


def _as_tables(choice: Choice, by_class: list[float], by_distance: list[float]) -> None:
    """Show both charts as tables, with downloads."""
    share = "attention (share)"
    tables = {
        "by-class": pd.DataFrame({"class": CLASSES, share: by_class}),
        "by-distance": pd.DataFrame(
            {"characters back": range(len(by_distance)), share: by_distance}
        ),
    }
    with st.expander("As tables"):
        config = {share: st.column_config.NumberColumn(format="%.3g")}
        for column, table in zip(st.columns(2), tables.values(), strict=True):
            column.dataframe(table, hide_index=True, column_config=config)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for name, table in tables.items():
            download(
                f"{name}.csv",
                partial(_csv, table.assign(**choice.columns)),
                f"{choice.file_name}-{name}.csv",
            )
    image_control()


def _csv(table: pd.DataFrame) -> str:
    return to_csv(table, "%.6g")

"""The Head scores tab: scores of all heads, and where the attention of one head goes."""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from microgpt.analysis.attention import AttentionMaps, combined
from microgpt.analysis.head_patterns import PATTERNS
from microgpt.analysis.head_scores import MIN_LABEL_SCORE, Ablation, HeadScores, Repeated
from microgpt.analysis.heads import CLASSES, attention_by_class, attention_by_distance
from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.attention.choice import Choice, head_choice
from microgpt.ui.attention.controls import (
    attention_text,
    image_control,
    image_format,
    selected_scores,
)
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.download import download

_LOSS_CHANGE, _ENTROPY = "loss change (nats)", "entropy (nats)"
_REPEATED = "induction, random text"
_DISTANCE = "mean distance (characters)"


def head_scores_view(checkpoint: Checkpoint) -> None:
    """Show the scores of all heads, and what one head attends to on the text."""
    text = attention_text(checkpoint)
    if not text:
        return
    if len(text) < 2:
        st.caption("Type at least two characters. The first can only attend to itself.")
        return
    scores = selected_scores(checkpoint, text, "Measure on")
    assert scores is not None  # the text is long enough
    measured = checkpoint.head_scores
    ablation = measured.ablation if measured else None
    frame = scores_frame(scores, ablation, measured.repeated if measured else None)
    st.dataframe(frame, hide_index=True, column_config=_columns())
    st.caption(
        "Each score is the mean share of a head's attention that goes to one kind of character, "
        f"from 0 to 1. The label of a head is its highest score, if that is at least "
        f"{MIN_LABEL_SCORE:g}."
    )
    with st.expander("How the scores are measured"):
        st.caption(
            "Point at the name of a column to see which characters it counts. A score is the mean "
            "over all positions that can attend to such a character, at most "
            f"{scores.positions:,}. For comparison, a head that attends equally to all characters "
            "has these scores: "
            + ", ".join(f"{name} {value:.2f}" for name, value in scores.uniform.items())
            + "."
        )
        if measured and measured.repeated:
            st.caption(
                f"For {_REPEATED}, the text is all characters in a random order, written twice. "
                "Nothing but induction can predict its second half. A head that attends equally to "
                f"all characters has the score {measured.repeated.uniform:.3f} there."
            )
        if ablation:
            st.caption(
                "The loss change is the loss without this head minus the loss with it, measured "
                f"over {ablation.positions:,} positions of the validation split. If it is below 0, "
                "the model is better without the head."
            )
    download("heads.csv", lambda: to_csv(frame), "heads.csv")
    _one_head(checkpoint, text, cache.attention_maps(checkpoint, text))


def _columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        "head": st.column_config.TextColumn(pinned=True),
        "label": st.column_config.TextColumn(width=110),
        **{
            name: number(format="%.2f", help=f"Attention to {pattern.about}.")
            for name, pattern in PATTERNS.items()
        },
        _REPEATED: number(
            format="%.2f",
            help="Attention, in random text that is written twice, to the character after the same "
            "character in the first half.",
        ),
        _LOSS_CHANGE: number(
            format="%.4f",
            help="How much the loss rises when this head is switched off (an ablation).",
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
                    "label": f"{label.name} {label.score:.2f}" if label else "",
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
            attention_charts.shares_by_class(CLASSES, by_class.tolist()),
            height=300,
            key="by class",
            config=style.menu("microgpt-by-class", image_format()),
            alt="Attention by class of character",
        )
    with right:
        st.plotly_chart(
            attention_charts.shares_by_distance(by_distance.tolist()),
            height=300,
            key="by distance",
            config=style.menu("microgpt-by-distance", image_format()),
            alt="Attention by distance",
        )
    st.caption(
        "Where the attention goes in your text, by kind of character and by distance. "
        "Distance 0 is the character itself."
    )
    _as_tables(choice, by_class.tolist(), by_distance.tolist())


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

"""The Layer by layer tab: what the model would predict if it ended after an earlier layer."""

import pandas as pd
import streamlit as st

from microgpt.analysis.logit_lens import LogitLens, point_probs
from microgpt.checkpoint import Checkpoint
from microgpt.ui.allowed import OneOf, Switch
from microgpt.ui.attention.controls import QUERY, text_and_controls
from microgpt.ui.cache.inside import lens_of, residual_stream
from microgpt.ui.cache.predictions import distribution_figure
from microgpt.ui.charts import style
from microgpt.ui.charts import text as text_charts
from microgpt.ui.charts.tables import for_page, to_csv
from microgpt.ui.components.lens_table.lens_table import lens_table
from microgpt.ui.controls import CONTROL_WIDTH
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.inside.controls import (
    HALF_LAYERS,
    LAYER_BY_LAYER,
    POINT,
    point_names,
    position_control,
)
from microgpt.ui.inside.steps import steps_from
from microgpt.ui.next_steps import next_steps
from microgpt.ui.text import markdown

# The most changes of the likeliest character that the sentence lists.
_MAX_CHANGES = 4


def logit_lens_view(checkpoint: Checkpoint) -> None:
    """Show the likeliest next character after each layer, and the distribution after one layer."""
    text, controls = text_and_controls(checkpoint)
    if not text:
        return
    lens, points = lens_of(checkpoint, text), point_names(checkpoint.config)
    with controls:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            at = position_control(text)
            half = st.toggle(
                "Half-layers",
                **HALF_LAYERS.args(Switch()),
                help="Adds a row after the attention of each layer, before its MLP.",
            )
            names = points if half else points[::2]
            if not half:
                lens = lens.per_layer()
            after = st.selectbox(
                "After",
                names,
                len(names) - 1,
                **POINT.args(OneOf(names, names[-1])),
                width=CONTROL_WIDTH + 60,
            )
        st.markdown(decision(lens, names, at, checkpoint.tokenizer.characters))
        if not checkpoint.config.residual:
            caption(
                "This model has no residual connections: each layer replaces the result of the one "
                "before it. The output head was trained to read only the last one."
            )
    row = names.index(after)
    lens_table(
        "lens_table",
        text,
        [_short(name) for name in names],
        checkpoint.tokenizer.characters,
        lens.likeliest.numpy(),
        lens.probs.numpy(),
        lens.divergences.numpy(),
        row,
        at,
        on_pick=lambda row, at: _choose(names[row], at),
    )
    caption(
        "The logit lens (nostalgebraist, 2020) reads the residual stream after each layer with the "
        "model’s final LayerNorm and output head. A row shows the character that is likeliest "
        "then. The divergence is 0 where the prediction is already the final one. All "
        "probabilities are those at temperature 1."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        _distribution(checkpoint, text, points.index(after), after, at)
    with right:
        _table(lens, names, at, checkpoint.tokenizer.characters)
    characters = checkpoint.tokenizer.characters
    download(
        "CSV",
        lambda: to_csv(_frame(lens, names, text, characters), "%.6g"),
        "microgpt-logit-lens.csv",
    )
    next_steps(*steps_from(LAYER_BY_LAYER))


def _choose(name: str, at: int) -> None:
    """Choose a cell of the table. For a callback."""
    POINT.set(name)
    QUERY.set(at + 1)


def _short(name: str) -> str:
    """The name of a point in front of its row."""
    return name.removeprefix("the ").replace("attention of layer", "attention")


def decision(lens: LogitLens, names: list[str], at: int, characters: str) -> str:
    """After which layer the likeliest character is the final one, and what it was before."""
    changes = lens.changes(at)

    def shown(point: int) -> str:
        return _quoted(characters[int(lens.likeliest[point, at])])

    last, final = changes[-1], shown(changes[-1])
    if last == 0:
        return f"Already after {names[0]} the likeliest character is {final}. No layer changes it."
    if last == len(names) - 1:
        settled = f"{final} is the likeliest character only after {names[last]}."
    else:
        settled = (
            f"After {names[last]} the likeliest character is {final}. No later layer changes it."
        )
    if len(changes) > _MAX_CHANGES:
        return f"{settled} Before that, it changes {len(changes) - 2} times."
    before = ", then ".join(f"{shown(each)} after {names[each]}" for each in changes[:-1])
    return f"{settled} Before that, it is {before}."


def _quoted(character: str) -> str:
    return f"“**{markdown(style.isolated(style.sign(character)))}**”"


def _distribution(checkpoint: Checkpoint, text: str, point: int, after: str, at: int) -> None:
    """Show the distribution at one point and position, and the same as a table."""
    stream = residual_stream(checkpoint, text)
    final, probs = (point_probs(checkpoint.model, stream.points[p, at]) for p in (-1, point))
    labels = style.visible(checkpoint.tokenizer.characters)
    follows = checkpoint.tokenizer.encode(text[at + 1]) if at + 1 < len(text) else [None]
    st.plotly_chart(
        distribution_figure(probs.numpy(), None, labels, follows[0], names=(f"after {after}", "")),
        height=300,
        config=style.menu("microgpt-logit-lens"),
        alt=f"Probability of the likeliest characters after {after}",
    )
    character = markdown(style.position_names(text)[at])
    caption(
        f"The prediction of the character after {character}, read after {after}."
        f"{text_charts.bars_shown(len(labels))}"
    )
    with st.expander("As a table"):
        columns = {"character": labels, f"after {after}": probs, "final": final}
        table = pd.DataFrame(columns).sort_values(f"after {after}", ascending=False, kind="stable")
        share = st.column_config.NumberColumn(format="%.4f")
        config = dict.fromkeys(table.columns[1:], share)
        st.dataframe(for_page(table), hide_index=True, column_config=config)


def _table(lens: LogitLens, names: list[str], at: int, characters: str) -> None:
    """Show the column of the position as a table, with the means over the text."""
    frame = pd.DataFrame(
        {
            "after": [_short(name) for name in names],
            "likeliest": [style.sign(characters[i]) for i in lens.likeliest[:, at].tolist()],
            "probability": lens.probs[:, at],
            "divergence": lens.divergences[:, at],
            "mean divergence": lens.mean_divergence,
            "agreement": lens.agreement,
        }
    )
    number = st.column_config.NumberColumn
    st.dataframe(
        for_page(frame),
        hide_index=True,
        column_config={
            "probability": number(format="%.3f"),
            "divergence": number(format="%.3f", help="From the final prediction, in nats."),
            "mean divergence": number(format="%.3f", help="Over all positions, in nats."),
            "agreement": number(
                format="percent",
                help="The share of all positions at which the likeliest character is already that "
                "of the final prediction.",
            ),
        },
    )


def _frame(lens: LogitLens, names: list[str], text: str, characters: str) -> pd.DataFrame:
    """All cells, a row for each point and position."""
    labels = style.visible(text)
    count = len(names)
    return pd.DataFrame(
        {
            "after": [name for name in names for _ in text],
            "position": [*range(1, len(text) + 1)] * count,
            "character": labels * count,
            "next": [*labels[1:], ""] * count,
            "likeliest": [style.sign(characters[i]) for i in lens.likeliest.flatten().tolist()],
            "probability": lens.probs.flatten(),
            "divergence_nats": lens.divergences.flatten(),
        }
    )

"""The Stages tab: the steps from a query to the output of one head."""

import pandas as pd
import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.ui.attention.controls import (
    image_control,
    query_control,
    tall_chart,
    text_and_controls,
)
from microgpt.ui.attention.steps import STAGES, steps_from
from microgpt.ui.cache.attention import head_stages
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.charts.tables import for_page, to_csv
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.head_choice import head_choice
from microgpt.ui.next_steps import next_steps
from microgpt.ui.text import markdown


def stages_view(checkpoint: Checkpoint) -> None:
    """Show what one head computes for one query: scores, attention and contributions."""
    text, controls = text_and_controls(checkpoint)
    if not text:
        return
    with controls:
        choice, row = head_choice(checkpoint)
    if choice.head is None:
        st.info("Only a single head has stages. Choose a head.")
        return
    with row:
        query = query_control(text)
    found = head_stages(checkpoint, text, choice.layer, choice.head)
    seen = slice(0, query + 1)  # the causal mask hides later keys
    stages = (found.raw, found.scaled, found.weights, found.contributions)
    frame = pd.DataFrame({"key": style.position_names(text, isolate=False)[seen]}).assign(
        **{
            name: rows[query, seen].numpy()
            for name, rows in zip(attention_charts.STAGES, stages, strict=True)
        }
    )
    name = f"{choice.file_name}-stages-query-{query + 1}"
    alt = f"Stages of attention: {choice.title}"
    tall_chart(attention_charts.stages(frame, text[seen]), "stages", name, alt)
    config, size = checkpoint.config, checkpoint.config.score_divisor
    what = "the head size" if config.score_scale == "head_size" else "the number of channels"
    character = markdown(style.position_names(text)[query])
    caption(
        f"The head compares the query of {character} with the keys of this character and of all "
        "earlier ones. The four charts show the steps."
    )
    with st.expander("What each step does"):
        st.markdown(
            "1. **q·k**: the score of each key, which is its dot product with the query.\n"
            f"2. **scaled**: the score divided by √{size} = {size**0.5:.3g}, the square root of "
            f"{what}.\n"
            "3. **softmax**: the attention weights. Softmax makes them positive, with a sum of 1.\n"
            "4. **contribution**: the weight times the value of the character, after the output "
            "projection. This is a vector; the chart shows its length."
        )
    with st.expander("As a table"):
        number = st.column_config.NumberColumn(format="%.3g")
        shown = dict.fromkeys(attention_charts.STAGES, number)
        st.dataframe(for_page(frame), hide_index=True, column_config=shown)
    columns = {**choice.columns, "query": frame["key"].iloc[-1]}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        download(
            "CSV",
            lambda: to_csv(frame.assign(**columns), "%.6g"),
            f"{name}.csv",
        )
        image_control()
    next_steps(*steps_from(STAGES, checkpoint, text, choice))

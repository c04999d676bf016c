"""What one head computes for one query: scores, scaled scores, softmax, contributions."""

import pandas as pd
import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.attention.choice import head_choice
from microgpt.ui.attention.controls import (
    attended_text,
    image_control,
    image_format,
    query_control,
)
from microgpt.ui.charts import attention as attention_charts
from microgpt.ui.charts import style
from microgpt.ui.download import download
from microgpt.ui.text import plain


def stages_view(checkpoint: Checkpoint) -> None:
    """Show what one head computes for one query: scores, attention and contributions."""
    text = attended_text(checkpoint)
    if not text:
        return
    choice = head_choice(checkpoint)
    if choice.head is None:
        st.info("Stages exist only for a single head. Choose one head.")
        return
    query = query_control(text)
    found = cache.head_stages(checkpoint, text, choice.layer, choice.head)
    seen = slice(0, query + 1)  # the causal mask hides later keys
    columns = (found.raw, found.scaled, found.weights, found.contributions)
    frame = pd.DataFrame({"key": style.positions(text)[seen]}).assign(
        **{
            name: rows[query, seen].numpy()
            for name, rows in zip(attention_charts.STAGES, columns, strict=True)
        }
    )
    name = f"{choice.file_name}-stages-query-{query + 1}"
    st.plotly_chart(
        attention_charts.stages(frame),
        height=640,
        config=style.menu(name, image_format()),
        alt=f"Stages of attention: {choice.title}",
    )
    size = checkpoint.config.head_size
    st.caption(
        f"The head compares the query of {plain(style.positions(text)[query])} with the key of "
        "each character up to itself. The four charts show the steps of this computation."
    )
    with st.expander("What each step does"):
        st.markdown(
            "1. **q·k**: the score of a key is its dot product with the query.\n"
            f"2. **scaled**: the score is divided by √{size} = {size**0.5:.3g}, the square root of "
            "the head size.\n"
            "3. **softmax**: turns the scaled scores into attention weights, which sum to 1.\n"
            "4. **contribution**: each weight is multiplied by the value of its character, after "
            "the output projection. The chart shows the length of the resulting vector."
        )
    with st.expander("As a table"):
        number = st.column_config.NumberColumn(format="%.3g")
        st.dataframe(
            frame, hide_index=True, column_config=dict.fromkeys(attention_charts.STAGES, number)
        )
    named = {**choice.named, "query": style.positions(text)[query]}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        download(
            "CSV",
            lambda: frame.assign(**named).to_csv(index=False, float_format="%.6g"),
            f"{name}.csv",
        )
        image_control()

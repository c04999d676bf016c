"""The numbers of the picture of the whole model as tables, and their files."""

from functools import partial

import pandas as pd
import streamlit as st

from microgpt.analysis.position import StreamPart, position_npz
from microgpt.analysis.predictions import next_character
from microgpt.checkpoint import Checkpoint
from microgpt.sampling import SamplingConfig
from microgpt.ui.charts import style
from microgpt.ui.charts.tables import for_page, to_csv
from microgpt.ui.components.model_flow.model_flow import Shown
from microgpt.ui.download import download
from microgpt.ui.glossary import caption


def number_tables(checkpoint: Checkpoint, shown: Shown) -> None:
    """Show the stream, the open block's attention and the next character as tables."""
    caption(
        "The residual stream: the length of each part, and its share in the new stream. The share "
        "is how far the part points along the new stream, divided by the length of the new stream. "
        "It is negative for a part that points against it."
    )
    stream = _stream_table(shown)
    number = st.column_config.NumberColumn(format="%.3f")
    columns = dict.fromkeys(["length", "share", "score", "attention", "logit"], number)
    st.dataframe(stream, hide_index=True, column_config=columns)
    if shown.open is not None:
        block = shown.position.blocks[shown.open]
        caption(f"Head {shown.head + 1} of layer {shown.open + 1}: its attention.")
        attention = pd.DataFrame(
            {
                "position": range(1, shown.at + 2),
                "character": style.visible(shown.text[: shown.at + 1]),
                "score": block.scores[shown.head],
                "attention": block.weights[shown.head],
            }
        )
        st.dataframe(for_page(attention), hide_index=True, column_config=columns)
    caption("The next character: the logits, and the probabilities at temperature 1.")
    found = next_character(shown.position.logits, SamplingConfig(temperature=1.0))
    following = pd.DataFrame(
        {
            "character": style.visible("".join(shown.vocabulary)),
            "logit": shown.position.logits,
            "probability": found.model,
        }
    ).sort_values("logit", ascending=False, kind="stable")
    share = {"probability": st.column_config.NumberColumn(format="%.4f")}
    st.dataframe(for_page(following), hide_index=True, column_config=columns | share)
    with st.container(horizontal=True):
        download("stream.csv", partial(to_csv, stream, "%.6g"), "microgpt-stream.csv")
        download("next.csv", partial(to_csv, following, "%.6g"), "microgpt-next-character.csv")
        assert checkpoint.weights_sha256 is not None  # it was loaded
        numbers = partial(
            position_npz, shown.position, shown.text, shown.at, checkpoint.weights_sha256
        )
        download("position.npz", numbers, "microgpt-position.npz")


def _stream_table(shown: Shown) -> pd.DataFrame:
    """A row for each part of each point of the stream."""
    points: list[tuple[str, list[StreamPart]]] = [("embedding", [*shown.embedding])]
    for layer, (attention, mlp) in enumerate(shown.blocks, start=1):
        points += [(f"layer {layer} attention", [*attention]), (f"layer {layer} MLP", [*mlp])]
    rows = [
        (
            point,
            part.name if part.head is None else f"head {part.head + 1}",
            part.length,
            part.share,
        )
        for point, parts in points
        for part in parts
    ]
    return pd.DataFrame(rows, columns=["after", "part", "length", "share"])

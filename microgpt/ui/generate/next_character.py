"""The distribution of a character, before and after the sampling settings."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from microgpt.analysis import predictions
from microgpt.analysis.predictions import NextCharacter, Predictions
from microgpt.checkpoint import Checkpoint
from microgpt.sampling import SamplingConfig
from microgpt.ui.cache.predictions import distribution_figure
from microgpt.ui.cache.writing import next_logits
from microgpt.ui.charts import style
from microgpt.ui.charts import text as text_charts
from microgpt.ui.charts.style import menu
from microgpt.ui.charts.tables import for_page
from microgpt.ui.components.tokens.tokens import DISTRIBUTION, Picked
from microgpt.ui.controls import CONTROL_WIDTH
from microgpt.ui.generate.generated_text import (
    GeneratedText,
    branch,
    select_character,
    selected_character,
)
from microgpt.ui.glossary import caption
from microgpt.ui.text import markdown


def next_character(checkpoint: Checkpoint, prompt: str | None, config: SamplingConfig) -> None:
    """Show the distribution of the selected character, or of the first one after the prompt.

    The logits are stored, so a slider needs no forward pass.
    """
    selected = selected_character()
    if selected is None and prompt is None:
        return
    with st.container(key=DISTRIBUTION):
        if selected is not None:
            text, at = selected
            here = text.predictions[at : at + 1]
            st.subheader(f"Other characters at position {at + 1}", anchor=False)
            found = predictions.next_character(here.logits[0], config)
            table = _chart(checkpoint, found, here, text.config)
            _branch(checkpoint, *selected)
        else:
            assert prompt is not None
            st.subheader("The first character after the prompt", anchor=False)
            logits = next_logits(checkpoint, prompt)
            table = _chart(checkpoint, predictions.next_character(logits, config))
        with st.expander("As a table"):
            _table(table)


def request_distribution(
    found: Predictions, config: SamplingConfig | None
) -> Callable[[Picked], None]:
    """A callback of token_text: the next run opens a dialog with the character's distribution.

    config: None for a text that was not generated.
    """

    def request(picked: Picked) -> None:
        st.session_state["distribution"] = found[picked.at : picked.at + 1], config, picked.at

    return request


def distribution_dialog(checkpoint: Checkpoint) -> None:
    """Open the dialog that a callback requested, if any."""
    if (requested := st.session_state.pop("distribution", None)) is None:
        return
    here, config, at = requested
    found = predictions.next_character(here.logits[0], config or SamplingConfig())

    @st.dialog(f"All characters at position {at + 1}", width="large")
    def dialog() -> None:
        _table(_chart(checkpoint, found, here, config, with_settings=config is not None))

    dialog()


def _chart(
    checkpoint: Checkpoint,
    found: NextCharacter,
    here: Predictions | None = None,
    written_with: SamplingConfig | None = None,
    with_settings: bool = True,
) -> pd.DataFrame:
    """Show a distribution, and return it as a table.

    here: the character that the text has, if any. written_with: the settings that wrote it, if any.
    with_settings: whether to show the distribution after the settings, beside that of the model.
    """
    labels = style.visible(checkpoint.tokenizer.characters)
    actual = None if here is None else int(here.tokens[0])
    columns = {"character": labels, "model": found.model}
    about = "Bars: the probabilities that the model predicts."
    if with_settings:
        columns["after the settings"] = found.drawn
        about = (
            "Dashes: the probabilities that the model predicts. Bars: the probabilities after the "
            f"sampling settings. The settings allow {found.possible} of {len(labels)} characters."
        )
        if found.possible < len(labels):
            about += f" The others have a total probability of {100 * found.removed:.1f} %."
    st.plotly_chart(
        distribution_figure(
            found.model.numpy(), found.drawn.numpy() if with_settings else None, labels, actual
        ),
        height=300,
        config=menu("microgpt-next-character"),
        alt="Probability of the likeliest characters",
    )
    about += text_charts.bars_shown(len(labels))
    if here is not None and written_with is not None:
        about += _actual_sentence(here, written_with, labels[int(here.tokens[0])])
    caption(about)
    return pd.DataFrame(columns).sort_values("model", ascending=False, kind="stable")


def _table(table: pd.DataFrame) -> None:
    share = st.column_config.NumberColumn(format="%.4f")
    config = {name: share for name in table.columns if name != "character"}
    st.dataframe(for_page(table), hide_index=True, column_config=config)


def _actual_sentence(here: Predictions, config: SamplingConfig, label: str) -> str:
    drawn = here.drawn_with(config).item()
    character = markdown(style.isolated(label))
    return (
        f" The text has {character} here. With the settings that wrote the text, its probability "
        f"was {100 * drawn:.1f} %."
    )


def _branch(checkpoint: Checkpoint, text: GeneratedText, at: int) -> None:
    """Show the controls that continue the text with another character, or end the selection."""
    characters = checkpoint.tokenizer.characters
    here = text.predictions[at : at + 1]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        token = st.selectbox(
            "Another character",
            [token for token in here.order[0].tolist() if token != here.tokens[0]],
            format_func=lambda token: style.visible(characters[token])[0],
            key=f"instead of {at} in {text.name}",
            width=CONTROL_WIDTH,
        )
        st.button(
            "Branch here",
            icon=":material/call_split:",
            disabled=token is None,
            on_click=branch,
            args=(checkpoint.tokenizer, text, at, token),
        )
        st.button("Close", on_click=select_character, args=(None,))

"""The Score a text tab: the surprisal of each character of a text."""

import math

import pandas as pd
import streamlit as st

from microgpt.analysis.predictions import Predictions, predict_text, to_csv
from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.charts import style
from microgpt.ui.charts.tables import for_page
from microgpt.ui.components.tokens.tokens import Packing, token_text
from microgpt.ui.controls import control
from microgpt.ui.download import download
from microgpt.ui.generate.context import TOO_SHORT
from microgpt.ui.progress import progress_bar
from microgpt.ui.text_input import default_text, text_control

_TEXT = control("scored", url="short")

PASSAGE = """\
WIDOW:
My son went out at dawn to mend the wall;
The tide came in, and brought me back his coat.

FISHERMAN:
Take heart, good mother. I have seen a light
Beyond the reef, and light is made by hands."""
MAX_CHARACTERS = 10_000
# Characters times vocabulary size, so that a session holds a few megabytes at most.
_MAX_LOGITS = 650_000
_MAX_ROWS, _SHOWN_BEFORE = 10, 16


def score_view(checkpoint: Checkpoint) -> None:
    """Show the loss of a text and the surprisal of each of its characters."""
    text = text_control(
        checkpoint,
        "Text to score",
        default_text(checkpoint, PASSAGE),
        _TEXT,
        when_empty=TOO_SHORT,
        when_long=f"the model reads {checkpoint.config.block_size} at a time",
        max_length=min(MAX_CHARACTERS, _MAX_LOGITS // checkpoint.config.vocab_size),
    )
    if not text:
        return
    if len(text) < 2:
        st.caption(TOO_SHORT)
        return
    predictions, packing = cache.session_result(
        "scored_text", (checkpoint.fingerprint, text), lambda: _read(checkpoint, text)
    )
    _metrics(checkpoint, predictions, text)
    name = f"scored {hash((text, checkpoint.fingerprint))}"
    token_text(
        "scored text", name, checkpoint.tokenizer, text[0], predictions, packing, colour="surprisal"
    )
    st.caption(
        "Surprisal is −ln of the probability of a character: 0 if the model was certain of it, and "
        "higher if it was less likely."
    )
    _most_surprising(checkpoint, predictions, text)
    characters = checkpoint.tokenizer.characters
    download("characters.csv", lambda: to_csv(predictions, characters), "characters.csv")


def _read(checkpoint: Checkpoint, text: str) -> tuple[Predictions, Packing]:
    with progress_bar("Reading …") as show:
        predictions = predict_text(checkpoint.model, checkpoint.tokenizer.encode(text), show)
    return predictions, Packing(None)


def _metrics(checkpoint: Checkpoint, predictions: Predictions, text: str) -> None:
    loss = predictions.loss
    losses = {}
    if checkpoint.baselines is not None:
        losses = checkpoint.baselines.losses(checkpoint.tokenizer.encode(text))
    with st.container(horizontal=True):
        st.metric(
            "Loss (nats)",
            f"{loss:.3f}",
            help="Mean surprisal in nats per character. Lower is better.",
        )
        st.metric("Bits per character", f"{loss / math.log(2):.3f}")
        st.metric(
            "Perplexity",
            f"{math.exp(min(loss, 700)):.2f}",
            help="The model is as uncertain as a choice among this many equally likely characters.",
        )
        for name in reversed(losses):
            title = f"{name.capitalize()} (nats)"
            st.metric(title, f"{losses[name]:.3f}", help=_BASELINE_HELP[name])
    if losses:
        names = ", ".join(reversed(losses)).capitalize()
        st.caption(f"{names}: these are baselines, the losses of simpler models on this text.")


_BASELINE_HELP = {
    "uniform": "This model gives every character the same probability.",
    "unigram": "This model knows only how often each character occurs in the training text.",
    "bigram": "This model predicts each character only from the one before it.",
}


def _most_surprising(checkpoint: Checkpoint, predictions: Predictions, text: str) -> None:
    labels = style.visible(checkpoint.tokenizer.characters)
    rows = []
    for at in predictions.most_surprising(_MAX_ROWS):
        guess = int(predictions.order[at, 0])
        rows.append(
            {
                "character": labels[int(predictions.tokens[at])],
                "probability": math.exp(-predictions.surprisal[at].item()),
                "expected": labels[guess],
                "with": math.exp(predictions.log_probs[at, guess].item()),
                "after": "".join(style.visible(text[max(0, at + 1 - _SHOWN_BEFORE) : at + 1])),
                "position": at + 2,
            }
        )
    st.subheader("The most surprising characters", anchor=False)
    share = st.column_config.NumberColumn(format="%.4f")
    columns = {
        "probability": share,
        "expected": st.column_config.TextColumn("most likely"),
        "with": st.column_config.NumberColumn("its probability", format="%.4f"),
        "after": st.column_config.TextColumn("text before"),
    }
    st.dataframe(for_page(pd.DataFrame(rows)), hide_index=True, column_config=columns)

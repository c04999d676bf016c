"""Score a text of the visitor's: how surprised the model is, character by character."""

import math

import pandas as pd
import streamlit as st

from microgpt.analysis.predictions import Predictions, read_text, to_csv
from microgpt.checkpoint import Checkpoint
from microgpt.ui import cache
from microgpt.ui.charts import style
from microgpt.ui.components.tokens.tokens import Packing, token_text
from microgpt.ui.controls import control
from microgpt.ui.download import download
from microgpt.ui.text_input import text_control

_TEXT = control("scored", url="short")

PASSAGE = """\
WIDOW:
My son went out at dawn to mend the wall;
The tide came in, and brought me back his coat.

FISHERMAN:
Take heart, good mother. I have seen a light
Beyond the reef, and light is made by hands."""
LONGEST = 10_000
# Characters times vocabulary, so that a session keeps a few megabytes whatever the checkpoint.
_MOST_LOGITS = 650_000
_MOST_SURPRISING, _SHOWN_BEFORE = 10, 16


def score_view(checkpoint: Checkpoint) -> None:
    """Show how surprising each character of a text is to the model."""
    text = text_control(
        checkpoint,
        "Text to score",
        PASSAGE,
        _TEXT,
        when_empty="Type at least two characters: the first is only read.",
        reads="all of it, a window at a time",
        most=min(LONGEST, _MOST_LOGITS // checkpoint.config.vocab_size),
    )
    if not text:
        return
    if len(text) < 2:
        st.caption("Type at least two characters: the first is only read.")
        return
    predictions, packing = cache.remembered(
        "scored_text", (checkpoint.fingerprint, text), lambda: _read(checkpoint, text)
    )
    _figures(checkpoint, predictions, text)
    name = f"scored {hash((text, checkpoint.fingerprint))}"
    token_text(
        "scored text", name, checkpoint.tokenizer, text[0], predictions, packing, colour="surprise"
    )
    _most_surprising(checkpoint, predictions, text)
    characters = checkpoint.tokenizer.characters
    download("characters.csv", lambda: to_csv(predictions, characters), "characters.csv")


def _read(checkpoint: Checkpoint, text: str) -> tuple[Predictions, Packing]:
    bar = st.progress(0.0, "Reading …")
    predictions = read_text(
        checkpoint.model,
        checkpoint.tokenizer.encode(text),
        lambda done, total: bar.progress(done / total, "Reading …"),
    )
    bar.empty()
    return predictions, Packing(None)


def _figures(checkpoint: Checkpoint, predictions: Predictions, text: str) -> None:
    loss = predictions.loss
    less = {}
    if checkpoint.baselines is not None:
        less = checkpoint.baselines.losses(checkpoint.tokenizer.encode(text))
    with st.container(horizontal=True):
        st.metric("Loss", f"{loss:.3f}", help="Nats per character; lower is less surprised.")
        st.metric("Bits per character", f"{loss / math.log(2):.3f}")
        st.metric(
            "Perplexity",
            f"{math.exp(min(loss, 700)):.2f}",
            help="Between how many equally likely characters the model wavers.",
        )
        for name in reversed(less):
            st.metric(name.capitalize(), f"{less[name]:.3f}", help=_BASELINES[name])
    if less:
        st.caption("Bigram, unigram and uniform are models that know less, on the same text.")


_BASELINES = {
    "uniform": "Loss of a model to which every character is equally likely.",
    "unigram": "Loss of a model that knows how often each character stands anywhere.",
    "bigram": "Loss of a table of the next character by the one before.",
}


def _most_surprising(checkpoint: Checkpoint, predictions: Predictions, text: str) -> None:
    labels = style.visible(checkpoint.tokenizer.characters)
    rows = []
    for at in predictions.most_surprising(_MOST_SURPRISING):
        guess = int(predictions.order[at, 0])
        rows.append(
            {
                "character": labels[int(predictions.tokens[at])],
                "probability": math.exp(-predictions.surprise[at].item()),
                "expected": labels[guess],
                "with": math.exp(predictions.log_probs[at, guess].item()),
                "after": "".join(style.visible(text[max(0, at + 1 - _SHOWN_BEFORE) : at + 1])),
                "position": at + 2,
            }
        )
    st.subheader("The most surprising characters", anchor=False)
    share = st.column_config.NumberColumn(format="%.4f")
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, column_config={"probability": share, "with": share}
    )

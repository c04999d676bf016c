"""Score a text of the visitor's: how surprised the model is, character by character."""

import math

import pandas as pd
import streamlit as st
import torch

from microgpt.analysis.loss import text_logits
from microgpt.analysis.predictions import Predictions, to_csv
from microgpt.checkpoint import Checkpoint
from microgpt.ui.charts import style
from microgpt.ui.components.tokens.tokens import Packing, token_text
from microgpt.ui.widgets import text_control

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
    """All of the tab."""
    text = text_control(
        checkpoint,
        "Text to score",
        PASSAGE,
        "scored",
        when_empty="Type at least two characters: the first is only read.",
        reads="all of it, a window at a time",
        most=min(LONGEST, _MOST_LOGITS // checkpoint.config.vocab_size),
    )
    if not text:
        return
    if len(text) < 2:
        st.caption("Type at least two characters: the first is only read.")
        return
    trace, packing = _read(checkpoint, text)
    _figures(checkpoint, trace, text)
    name = f"scored {hash((text, checkpoint.fingerprint))}"
    token_text(
        "scored text", name, checkpoint.tokenizer, text[0], trace, packing, colour="surprise"
    )
    _most_surprising(checkpoint, trace, text)
    characters = checkpoint.tokenizer.characters
    st.download_button(
        "characters.csv",
        lambda: to_csv(trace, characters),
        "characters.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _read(checkpoint: Checkpoint, text: str) -> tuple[Predictions, Packing]:
    """Read a text, or take what was read of it before."""
    of = (checkpoint.fingerprint, text)
    known, read = st.session_state.get("scored_trace", (None, None))
    if known != of:
        data = torch.tensor(checkpoint.tokenizer.encode(text))
        bar = st.progress(0.0, "Reading …")
        logits = text_logits(
            checkpoint.model, data, lambda done, total: bar.progress(done / total, "Reading …")
        )
        bar.empty()
        read = Predictions(data[1:], logits), Packing(None)
        st.session_state["scored_trace"] = (of, read)
    return read


def _figures(checkpoint: Checkpoint, trace: Predictions, text: str) -> None:
    loss = trace.surprise.mean().item()
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


def _most_surprising(checkpoint: Checkpoint, trace: Predictions, text: str) -> None:
    labels = style.visible(checkpoint.tokenizer.characters)
    rows = []
    for at in trace.surprise.argsort(descending=True, stable=True)[:_MOST_SURPRISING].tolist():
        guess = int(trace.order[at, 0])
        rows.append(
            {
                "character": labels[int(trace.tokens[at])],
                "probability": math.exp(-trace.surprise[at].item()),
                "expected": labels[guess],
                "with": math.exp(trace.log_probs[at, guess].item()),
                "after": "".join(style.visible(text[max(0, at + 1 - _SHOWN_BEFORE) : at + 1])),
                "position": at + 2,
            }
        )
    st.subheader("The most surprising characters", anchor=False)
    share = st.column_config.NumberColumn(format="%.4f")
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, column_config={"probability": share, "with": share}
    )

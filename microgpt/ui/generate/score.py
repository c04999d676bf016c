"""The Score a text tab: the loss of a text, by model and by character."""

import math

import pandas as pd
import streamlit as st

from microgpt.analysis.loss import text_loss
from microgpt.analysis.prediction_files import to_csv
from microgpt.analysis.predictions import Predictions
from microgpt.checkpoint import Checkpoint
from microgpt.ui.attention.steps import look_inside
from microgpt.ui.cache.predictions import text_predictions
from microgpt.ui.cache.results import session_result
from microgpt.ui.charts import style
from microgpt.ui.charts.tables import for_page
from microgpt.ui.charts.tables import to_csv as csv_of
from microgpt.ui.components.tokens.tokens import Packing, token_text
from microgpt.ui.download import download
from microgpt.ui.generate.context import TOO_SHORT
from microgpt.ui.generate.controls import SCORED
from microgpt.ui.generate.next_character import distribution_dialog, request_distribution
from microgpt.ui.glossary import caption
from microgpt.ui.inside.steps import why_this_one
from microgpt.ui.progress import progress_bar
from microgpt.ui.text_input import default_text, text_control

PASSAGE = """\
WIDOW:
My son went out at dawn to mend the wall;
The tide came in, and brought me back his coat.

FISHERMAN:
Take heart, good mother. I have seen a light
Beyond the reef, and light is made by hands."""
MAX_CHARACTERS = 10_000  # that are shown one by one
_THIS = "this checkpoint"
# Characters times vocabulary size, so that a session holds a few megabytes at most.
_MAX_LOGITS = 650_000
_MAX_ROWS, _SHOWN_BEFORE = 10, 16


def score_view(checkpoint: Checkpoint) -> None:
    """Show the loss of a text, the surprisal of its characters and the losses of the baselines."""
    text = text_control(
        checkpoint,
        "Text to score",
        default_text(checkpoint, PASSAGE),
        SCORED,
        when_empty=TOO_SHORT,
        when_long=f"the model reads {checkpoint.config.block_size} at a time",
    )
    if not text:
        return
    if len(text) < 2:
        caption(TOO_SHORT)
        return
    shown = text[: min(MAX_CHARACTERS, _MAX_LOGITS // checkpoint.config.vocab_size)]
    predictions, packing = session_result(
        "scored_text",
        (checkpoint.fingerprint, shown),
        lambda: (text_predictions(checkpoint, shown), Packing(None)),
    )
    loss = predictions.loss if shown == text else _whole_loss(checkpoint, text, len(shown))
    if loss is None:
        losses = _losses(checkpoint, shown, predictions.loss)
    else:
        losses = _losses(checkpoint, text, loss)
    _metrics(losses[_THIS])
    name = f"scored {hash((shown, checkpoint.fingerprint))}"
    token_text(
        "scored text",
        name,
        checkpoint.tokenizer,
        shown[0],
        predictions,
        packing,
        colour="surprisal",
        on_pick=request_distribution(predictions, None),
        step=look_inside(checkpoint, shown),
        explain=why_this_one(checkpoint, lambda at: shown[: at + 2]),
    )
    distribution_dialog(checkpoint)
    caption(
        "Surprisal is −ln of the probability of a character: 0 if the model was certain of it, and "
        "higher if it was less likely."
    )
    characters = checkpoint.tokenizer.characters
    download("characters.csv", lambda: to_csv(predictions, characters), "characters.csv")
    _compare(checkpoint, losses, len(shown) if loss is None else len(text))
    _most_surprising(checkpoint, predictions, shown)


def _whole_loss(checkpoint: Checkpoint, text: str, shown: int) -> float | None:
    """The loss of a text that is too long to be shown, after the visitor has asked for it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        caption(f"The text has {len(text):,} characters; the page shows the first {shown:,}.")
        pressed = st.button(f"Measure all {len(text):,}", icon=":material/straighten:")

    def measure() -> float:
        with progress_bar("Measuring …") as show:
            return text_loss(checkpoint.model, checkpoint.tokenizer.encode(text), show)

    inputs = (checkpoint.fingerprint, text)
    return session_result("whole_loss", inputs, measure if pressed else None)


def _losses(checkpoint: Checkpoint, text: str, loss: float) -> dict[str, float]:
    """The losses of this checkpoint and of the baselines over a text, nats per character."""
    baselines = {}
    if checkpoint.baselines is not None:
        baselines = checkpoint.baselines.losses(checkpoint.tokenizer.encode(text))
    return {_THIS: loss} | {name: baselines[name] for name in reversed(baselines)}


def _metrics(loss: float) -> None:
    with st.container(key="numbers", horizontal=True):
        st.metric(
            "Loss (nats per character)",
            f"{loss:.3f}",
            help="The mean surprisal. Lower is better.",
        )
        st.metric(
            "Loss (bits per character)",
            f"{loss / math.log(2):.3f}",
            help="The same loss in another unit: one bit is ln 2, about 0.693 nats.",
        )
        st.metric(
            "Perplexity",
            f"{_perplexity(loss):.2f}",
            help="The model is as uncertain as a choice among this many equally likely characters.",
        )


def _perplexity(loss: float) -> float:
    return math.exp(min(loss, 700))


def _compare(checkpoint: Checkpoint, losses: dict[str, float], length: int) -> None:
    """Show the losses of the models over a text of this length in a table."""
    st.subheader("Compared with simpler models", anchor=False)
    loss, bits = "loss (nats per character)", "loss (bits per character)"
    frame = pd.DataFrame(
        {
            "model": list(losses),
            loss: [round(each, 4) for each in losses.values()],
            bits: [round(each / math.log(2), 4) for each in losses.values()],
            "perplexity": [round(_perplexity(each), 2) for each in losses.values()],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            loss: st.column_config.ProgressColumn(max_value=frame[loss].max(), format="%.3f"),
            bits: st.column_config.NumberColumn(format="%.3f"),
            "perplexity": st.column_config.NumberColumn(format="%.2f"),
        },
    )
    baselines = [_BASELINES[name] for name in losses if name in _BASELINES]
    note = (
        f"Measured on {length:,} characters. The first of them have little text before them, so a "
        "short text has a higher loss."
    )
    if checkpoint.training.val_loss_full is not None:
        note += (
            " The validation loss of this checkpoint is "
            f"{checkpoint.training.val_loss_full:.4f} nats per character."
        )
    caption(" ".join([*baselines, note]))
    download("measured.csv", lambda: csv_of(frame), "measured.csv")


_BASELINES = {
    "bigram": "The bigram model predicts each character only from the one before it.",
    "unigram": "The unigram model knows only how often each character occurs in the corpus.",
    "uniform": "The uniform model gives every character the same probability.",
}


def _most_surprising(checkpoint: Checkpoint, predictions: Predictions, text: str) -> None:
    labels = style.visible(checkpoint.tokenizer.characters)
    rows = []
    for at in predictions.most_surprising(_MAX_ROWS):
        guess = int(predictions.order[at, 0])
        rows.append(
            {
                "character": labels[int(predictions.tokens[at])],
                "probability": predictions.probability[at].item(),
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

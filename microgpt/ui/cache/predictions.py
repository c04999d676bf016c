"""Predictions over a text, and their figures."""

from microgpt.analysis import context_length, predictions
from microgpt.analysis.context_length import ContextLosses
from microgpt.analysis.predictions import Predictions
from microgpt.checkpoint import Checkpoint
from microgpt.ui.cache.results import shared
from microgpt.ui.charts import text as text_charts
from microgpt.ui.progress import progress_bar


# A result takes up to 13 MB.
@shared(max_entries=4)
def text_predictions(checkpoint: Checkpoint, text: str) -> Predictions:
    """The predictions of all characters of a text except the first. Shows its progress."""
    with progress_bar("Reading …") as show:
        return predictions.predict_text(checkpoint.model, checkpoint.tokenizer.encode(text), show)


@shared(max_entries=32)
def context_losses(checkpoint: Checkpoint, text: str) -> ContextLosses:
    """The loss of the end of a text by context length; shows its progress."""
    ids = checkpoint.tokenizer.encode(text)
    with progress_bar("Reading …") as show:
        return context_length.context_losses(checkpoint.model, ids, show)


# Plotly checks each of its values, which was a third of a rerun of the Generate page.
distribution_figure = shared(max_entries=64)(text_charts.distribution)

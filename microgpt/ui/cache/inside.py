"""The residual stream over a text, and what is computed from it."""

from hashlib import sha256

from torch import Tensor

from microgpt.analysis import attribution, neurons, residuals
from microgpt.analysis import logit_lens as lens
from microgpt.analysis import neuron_scores as scoring
from microgpt.analysis.logit_lens import LogitLens
from microgpt.analysis.neuron_scores import NeuronScores
from microgpt.analysis.position import PositionAt, block_at, position_at
from microgpt.analysis.residuals import ResidualStream
from microgpt.checkpoint import Checkpoint
from microgpt.data import find_corpus, fold_rare, validation_part
from microgpt.tasks import MAKERS, task_text
from microgpt.ui.cache.results import session_result, shared
from microgpt.ui.progress import progress_bar


# A result takes 10 MB for a text of 256 characters and the bundled checkpoint, and up to 170 MB for
# another one.
@shared(max_entries=6)
def residual_stream(checkpoint: Checkpoint, text: str) -> ResidualStream:
    """The residual stream over a text of 1 to block_size known characters."""
    return residuals.residual_stream(checkpoint.model, checkpoint.tokenizer.encode(text))


# A result takes 0.3 MB for the bundled checkpoint, and up to 9 MB for another one.
@shared(max_entries=16)
def position_of(checkpoint: Checkpoint, text: str, at: int) -> PositionAt:
    """What the model computes at a position, from 0, of a text of known characters."""
    ids, stream = checkpoint.tokenizer.encode(text), residual_stream(checkpoint, text)
    return position_at(checkpoint.model, ids, stream, at)


@shared(max_entries=64)
def sharpest_head(checkpoint: Checkpoint, text: str, layer: int) -> int:
    """The head of a layer, both from 0, with the largest weight at the end of a text."""
    stream = residual_stream(checkpoint, text)
    return block_at(checkpoint.model, stream, layer, len(text) - 1).sharpest_head


@shared(max_entries=12)
def lens_of(checkpoint: Checkpoint, text: str) -> LogitLens:
    """The logit lens over a text of 1 to block_size known characters."""
    return lens.logit_lens(checkpoint.model, residual_stream(checkpoint, text).points)


# A result takes up to 16 MiB.
@shared(max_entries=3)
def _long_mlp_inputs(checkpoint: Checkpoint, text: str) -> Tensor:
    return neurons.mlp_inputs(checkpoint.model, checkpoint.tokenizer.encode(text))


def mlp_inputs(checkpoint: Checkpoint, text: str) -> Tensor:
    """The residual stream before each MLP, (L, P, C), over a text of P known characters."""
    if len(text) <= checkpoint.config.block_size:
        return residual_stream(checkpoint, text).points[1::2]
    return _long_mlp_inputs(checkpoint, text)


@shared(max_entries=32)
def neuron_scores(checkpoint: Checkpoint, text: str, layer: int) -> NeuronScores:
    """The scores of a layer's neurons, from 0, over a text of known characters."""
    inputs = mlp_inputs(checkpoint, text)[layer]
    return scoring.neuron_scores(neurons.activations(checkpoint.model, inputs, layer), text)


def validation_text(checkpoint: Checkpoint) -> str | None:
    """The start of the validation split, as long as neurons can be scored on it.

    None unless the corpus of the checkpoint is on this server, or a task of this program. A corpus
    that comes to the server later is found then.
    """
    try:
        return _validation_text(checkpoint)
    except _NoCorpusError:
        return None


class _NoCorpusError(Exception):
    """Streamlit caches no call that raises an error."""


@shared(max_entries=8, show_spinner="Making the text of the task …")
def _validation_text(checkpoint: Checkpoint) -> str:
    training = checkpoint.training
    corpus = task_text(training.config) or find_corpus(training.data_sha256)
    if corpus is None or sha256(corpus.encode()).hexdigest() != training.data_sha256:
        raise _NoCorpusError
    text = validation_part(fold_rare(corpus, training.config.rare))
    return text[: neurons.max_scored(checkpoint.config)]


def has_validation_text(checkpoint: Checkpoint) -> bool:
    """Whether validation_text may find a text; that of a task is made only when it is needed."""
    is_task = checkpoint.training.config.task in MAKERS
    return is_task or validation_text(checkpoint) is not None


_MOST_EFFECTS = 16 * 2**20  # in bytes, for all positions of a text


def total_effects(checkpoint: Checkpoint, text: str, at: int, compute: bool) -> Tensor | None:
    """The total effect of each part on the logits at a position, (P, V).

    Those of all positions are computed at once, unless they take too much memory; that shows its
    progress. compute: otherwise return None if this session has not computed them.
    """
    config = checkpoint.config
    size = 4 * len(attribution.parts_of(config)) * len(text) * config.vocab_size
    last_only = size > _MOST_EFFECTS
    read = text[: at + 1] if last_only else text
    found = session_result(
        "total_effects",
        (checkpoint.fingerprint, read),
        (lambda: _total_effects(checkpoint, read, last_only)) if compute else None,
    )
    return None if found is None else found[:, -1 if last_only else at]


@shared(max_entries=4)
def _total_effects(checkpoint: Checkpoint, text: str, last_only: bool) -> Tensor:
    stream = residual_stream(checkpoint, text)
    with progress_bar("Switching off each part …") as show:
        return attribution.total_effects(checkpoint.model, stream, last_only, show)

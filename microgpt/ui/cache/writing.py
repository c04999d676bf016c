"""The engines, and what they have written."""

from itertools import chain

from torch import Tensor

from microgpt.analysis import ablation, predictions
from microgpt.analysis.predictions import Predictions
from microgpt.checkpoint import Checkpoint
from microgpt.engine import Engine, Scheduler, TorchBackend
from microgpt.sampling import SamplingConfig
from microgpt.ui.cache.results import in_turns, shared
from microgpt.ui.stream import stream

# The memory for the logits of a text is proportional to the size of the vocabulary. With a larger
# vocabulary than this, texts are shorter, so that their logits take no more memory.
_FULL_LENGTH_VOCABULARY = 1024


def within_memory(checkpoint: Checkpoint, length: int) -> int:
    """Lower the length of a generated text for a large vocabulary."""
    return min(length, max(1, length * _FULL_LENGTH_VOCABULARY // checkpoint.config.vocab_size))


@shared(max_entries=5)
def engine_of(checkpoint: Checkpoint) -> Engine:
    """The decoding engine of a checkpoint, one for all visitors."""
    return Engine(checkpoint.model)


@shared(max_entries=64)
def next_logits(checkpoint: Checkpoint, prompt: str) -> Tensor:
    """Logits (V,) of the first character after a prompt of known characters."""
    batches = stream(engine_of(checkpoint), checkpoint.tokenizer, prompt, 1, SamplingConfig())
    [(_, logits)] = chain.from_iterable(batches)
    return logits.clone()


@in_turns
@shared(max_entries=32, show_spinner="The model is writing …")
def written_text(
    checkpoint: Checkpoint, prompt: str, length: int, config: SamplingConfig
) -> Predictions:
    """The text that the checkpoint writes after a prompt of known characters."""
    batches = stream(engine_of(checkpoint), checkpoint.tokenizer, prompt, length, config)
    return predictions.of_drawn(chain.from_iterable(batches))


@in_turns
@shared(max_entries=16, show_spinner="The model is writing …")
def written_text_without(
    checkpoint: Checkpoint,
    prompt: str,
    length: int,
    config: SamplingConfig,
    heads: frozenset[tuple[int, int]],
) -> Predictions:
    """The text that the checkpoint writes with some heads ablated, (layer, head) from 0."""
    backend = TorchBackend(checkpoint.model, ablation.head_mask(checkpoint.config, heads))
    scheduler = Scheduler(backend, checkpoint.config)
    batches = stream(scheduler, checkpoint.tokenizer, prompt, length, config)
    return predictions.of_drawn(chain.from_iterable(batches))

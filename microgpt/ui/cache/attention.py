"""Attention over a text, and what the model computes without some heads."""

from torch import Tensor

from microgpt.analysis import ablation, attention, heads
from microgpt.analysis.attention import AttentionMaps, HeadStages, PackedMaps
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint import Checkpoint
from microgpt.ui.cache.results import shared
from microgpt.ui.charts.attention import attention_overview


@shared(max_entries=12)
def _packed_maps(checkpoint: Checkpoint, text: str) -> PackedMaps:
    ids = checkpoint.tokenizer.encode(text)
    return PackedMaps.of(attention.attention_maps(checkpoint.model, ids))


def attention_maps(checkpoint: Checkpoint, text: str) -> AttentionMaps:
    """The attention of every head over a text of 1 to block_size known characters."""
    return _packed_maps(checkpoint, text).unpacked()


# A result takes up to 64 MiB, for the longest window that a checkpoint may have.
@shared(max_entries=2)
def head_stages(checkpoint: Checkpoint, text: str, layer: int, head: int) -> HeadStages:
    """The stages of one head over a text of 1 to block_size known characters."""
    ids = checkpoint.tokenizer.encode(text)
    return attention.head_stages(checkpoint.model, ids, layer, head)


@shared(max_entries=12)
def overview_image(checkpoint: Checkpoint, text: str) -> bytes:
    """All maps of a text as one PNG, with a row for each layer and a column for each head.

    The last column holds the mean of each layer. Its last cell, below the layers, holds the mean of
    all heads.
    """
    maps = attention.with_means(attention_maps(checkpoint, text).weights)
    return attention_overview(maps.numpy())


@shared(max_entries=12)
def text_scores(checkpoint: Checkpoint, text: str) -> HeadScores:
    """The head scores over a text of 2 to block_size known characters."""
    weights = attention_maps(checkpoint, text).weights
    return heads.text_scores(weights, checkpoint.tokenizer.encode(text), checkpoint.tokenizer)


@shared(max_entries=12)
def logits_without(checkpoint: Checkpoint, text: str, heads: frozenset[tuple[int, int]]) -> Tensor:
    """Logits (T, V) over a text with some heads ablated, (layer, head) from 0."""
    return ablation.ablated_logits(checkpoint.model, checkpoint.tokenizer.encode(text), heads)

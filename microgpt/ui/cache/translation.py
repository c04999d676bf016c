"""Translations of an encoder–decoder, with the attention of its heads."""

from microgpt.analysis import cross_attention
from microgpt.analysis import translation_maps as maps
from microgpt.analysis.ablation import head_mask
from microgpt.analysis.cross_attention import Translation
from microgpt.analysis.translation_maps import TranslationMaps
from microgpt.checkpoint import PairCheckpoint
from microgpt.ui.cache.results import shared

Heads = frozenset[tuple[int, int]]


# A result takes up to 8 MiB, for the longest text and the most heads that a checkpoint may have.
@shared(max_entries=8)
def translation_of(checkpoint: PairCheckpoint, text: str, off: Heads = frozenset()) -> Translation:
    """The translation of a text that the model can read, with some heads off.

    off: heads of the cross-attention, (layer, head) from 0.
    """
    mask = head_mask(checkpoint.config, off) if off else None
    return cross_attention.translation(
        checkpoint.model, checkpoint.tokenizer, text, cross_head_mask=mask
    )


@shared(max_entries=32)
def translation_maps(
    checkpoint: PairCheckpoint, text: str, off: Heads = frozenset()
) -> TranslationMaps:
    """The maps of that translation in bytes."""
    return maps.translation_maps(translation_of(checkpoint, text, off))


@shared(max_entries=16)
def snapshot_maps(checkpoint: PairCheckpoint, example: int) -> list[TranslationMaps]:
    """An example, by its index, at each snapshot of a checkpoint that has snapshots."""
    snapshots = checkpoint.snapshots
    assert snapshots is not None
    return [snapshots.maps(checkpoint.tokenizer, at, example) for at in range(len(snapshots.steps))]

"""Measure an encoder–decoder after its training, from the weights that the run keeps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from microgpt.analysis.attention import in_bytes
from microgpt.analysis.cross_scores import CrossScores, cross_scores, joined
from microgpt.analysis.exact_match import held_out_phrases
from microgpt.checkpoint.pair_snapshots import PairSnapshots
from microgpt.config import EncoderDecoderConfig
from microgpt.dates import EXAMPLES, read
from microgpt.encoder_decoder import EncoderDecoder
from microgpt.model import finite, on_meta
from microgpt.pairs import END, START, PairBatch, Pairs, encode_pairs
from microgpt.tokenizer import CharTokenizer
from microgpt.training.snapshot_weights import fill, weights_file
from microgpt.translate import translate_all

# The heads are measured at each snapshot on at most this number of held-out phrases.
SCORED_PHRASES = 200


def measure_snapshots(
    folder: Path,
    steps: list[int],
    config: EncoderDecoderConfig,
    tokenizer: CharTokenizer,
    held_out: Pairs,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> tuple[PairSnapshots, CrossScores]:
    """The attention over EXAMPLES, and the scores of the heads, at steps whose weights are kept.

    folder: the one that save_weights wrote to. progress: called with the snapshots done and their
    total. Raises SnapshotsError for weights that cannot be used.
    """
    phrases = held_out_phrases(tokenizer, held_out, SCORED_PHRASES)
    examples = _examples(tokenizer)
    taken: list[dict[str, Tensor]] = []
    scores: list[CrossScores] = []
    for step in steps:
        progress(len(taken), len(steps))
        model = fill(on_meta(lambda: EncoderDecoder(config)), weights_file(folder, step))
        taken.append(_read(model, tokenizer, examples))
        scores.append(cross_scores(model, tokenizer, phrases, step))
    progress(len(taken), len(steps))
    stacked = {name: torch.stack([each[name] for each in taken]).numpy() for name in taken[0]}
    lengths = examples.source_mask.sum(dim=1)
    snapshots = PairSnapshots(
        np.array(steps),
        lengths.numpy(),
        examples.source.numpy(),
        examples.targets.numpy(),
        **stacked,
    )
    return snapshots, joined(scores)


def _examples(tokenizer: CharTokenizer) -> PairBatch:
    """EXAMPLES with their dates, as one batch; those with unknown characters are left out."""
    found = [phrase for each in EXAMPLES if (phrase := read(each)) and not tokenizer.unknown(each)]
    text = "".join(f"{phrase.text}{START}{phrase.iso}{END}" for phrase in found)
    return encode_pairs(tokenizer, text).batch()


@torch.inference_mode()
def _read(
    model: EncoderDecoder, tokenizer: CharTokenizer, examples: PairBatch
) -> dict[str, Tensor]:
    """What a snapshot holds of a model in eval mode, by the names of PairSnapshots."""
    logits, maps = model.forward_with_attention(*examples[:3])
    probs = finite(logits).softmax(dim=-1).gather(2, examples.targets[..., None]).squeeze(2)
    [end] = tokenizer.encode(END)
    texts = [
        tokenizer.decode(ids[mask].tolist())
        for ids, mask in zip(examples.source, examples.source_mask, strict=True)
    ]
    outputs = torch.full_like(examples.targets, end)
    for row, output in zip(outputs, translate_all(model, tokenizer, texts), strict=True):
        ids = tokenizer.encode(output)[: len(row)]
        row[: len(ids)] = torch.tensor(ids, dtype=torch.int64)
    named = {name: in_bytes(finite(each)) for name, each in maps._asdict().items()}
    return {"outputs": outputs, **named, "probs": probs.half()}

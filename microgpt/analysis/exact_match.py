"""How often an encoder–decoder translates a date exactly, as a whole and field by field."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from microgpt.analysis.loss import batch_loss
from microgpt.dates import FIELDS, ISO_SPANS, Phrase, read
from microgpt.encoder_decoder import EncoderDecoder
from microgpt.model import finite
from microgpt.pairs import Pairs
from microgpt.tokenizer import CharTokenizer
from microgpt.translate import translate_all

# What is counted: the whole date, and each field of it.
COUNTED = ("date", *FIELDS)
_BATCH = 500


def held_out_phrases(
    tokenizer: CharTokenizer, pairs: Pairs, most: int | None = None
) -> list[Phrase]:
    """The different phrases among pairs of the task `dates`, in order; the first `most` of them."""
    texts = dict[str, Phrase]()
    for ids, length in zip(pairs.source.tolist(), pairs.lengths.tolist(), strict=True):
        text = tokenizer.decode(ids[:length])
        if text not in texts and (phrase := read(text)) is not None:
            texts[text] = phrase
        if most is not None and len(texts) == most:
            break
    return list(texts.values())


def is_exact(output: str, iso: str) -> list[bool]:
    """Whether an output equals a date, for each of COUNTED."""
    parts = (ISO_SPANS[field] for field in FIELDS)
    fields = [output[part.start : part.stop] == iso[part.start : part.stop] for part in parts]
    return [output == iso, *fields]


def exact_matches(
    model: EncoderDecoder,
    tokenizer: CharTokenizer,
    phrases: Sequence[Phrase],
    *,
    cross_head_mask: Tensor | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Tensor:
    """The share of the phrases whose translation is exact, (4,), for each of COUNTED.

    The model must be in eval mode. cross_head_mask: as for EncoderDecoder.decode. progress: called
    with the phrases done and their total. Raises as translate does.
    """
    counts = torch.zeros(len(COUNTED))
    for at in range(0, len(phrases), _BATCH):
        part = phrases[at : at + _BATCH]
        texts = [phrase.text for phrase in part]
        outputs = translate_all(model, tokenizer, texts, cross_head_mask=cross_head_mask)
        for output, phrase in zip(outputs, part, strict=True):
            counts += torch.tensor(is_exact(output, phrase.iso))
        progress(at + len(part), len(phrases))
    return counts / len(phrases)


@torch.inference_mode()
def pair_loss(model: EncoderDecoder, pairs: Pairs) -> float:
    """Mean cross-entropy over all pairs, nats per character of the targets.

    Every target has the same length, so each batch counts by its pairs. Raises ModelOverflowError.
    """
    total = 0.0
    for at in range(0, len(pairs), _BATCH):
        batch = pairs.rows(slice(at, at + _BATCH)).batch()
        total += batch_loss(model, *batch).item() * len(batch.source)
    return finite(total / len(pairs))


def evaluate_pairs(
    model: EncoderDecoder,
    tokenizer: CharTokenizer,
    held_out: Pairs,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> dict[str, float | int]:
    """The results of the evaluate command for an encoder–decoder.

    parameters, phrases: the number of different held-out phrases, exact_match: the share of them
    that is translated exactly, the same for each field, and the loss over the held-out pairs.
    """
    phrases = held_out_phrases(tokenizer, held_out)
    exact, *fields = exact_matches(model, tokenizer, phrases, progress=progress).tolist()
    return {
        "parameters": model.parameter_count(),
        "phrases": len(phrases),
        "exact_match": round(exact, 4),
        **{f"exact_{name}": round(each, 4) for name, each in zip(FIELDS, fields, strict=True)},
        "val_loss_full": round(pair_loss(model, held_out), 4),
    }

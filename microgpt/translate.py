"""Translate texts with an encoder–decoder: at each step, it writes the likeliest character."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from microgpt.encoder_decoder import EncoderDecoder
from microgpt.generate import GeneratedCharacter
from microgpt.model import finite
from microgpt.pairs import END, START, source_batch, source_ids
from microgpt.tokenizer import CharTokenizer


def greedy(
    model: EncoderDecoder,
    source: Tensor,
    source_mask: Tensor,
    start: int,
    cross_head_mask: Tensor | None = None,
) -> Iterator[Tensor]:
    """Yield the logits (B, V) of one character after another, for sources (B, S).

    After each yield, the likeliest character of each row is appended to its target. start: the id
    that all targets begin with. The iterator ends when the targets fill the decoder. The encoder
    runs once. The decoder reads the short target again for each character, without a cache.
    Raises ModelOverflowError.
    """
    with torch.inference_mode():
        encoded = model.encode(source, source_mask)
        target = torch.full((len(source), 1), start, device=source.device)
    for _ in range(model.config.block_size):
        with torch.inference_mode():
            logits = finite(
                model.decode(target, encoded, source_mask, cross_head_mask=cross_head_mask)[:, -1]
            )
            target = torch.cat([target, logits.argmax(dim=-1, keepdim=True)], dim=1)
        yield logits


def translate(
    model: EncoderDecoder,
    tokenizer: CharTokenizer,
    text: str,
    *,
    cross_head_mask: Tensor | None = None,
) -> Iterator[GeneratedCharacter]:
    """Yield the characters of the translation of a text, one at a time, without the final END.

    The model must be in eval mode. cross_head_mask: as for EncoderDecoder.decode. Raises
    SourceError, UnknownCharacterError and ModelOverflowError.
    """
    ids = source_ids(tokenizer, model.config, text)
    start, end = (tokenizer.encode(each)[0] for each in (START, END))
    for logits in greedy(model, *source_batch(tokenizer, [ids]), start, cross_head_mask):
        token = int(logits[0].argmax())
        if token == end:
            return
        yield GeneratedCharacter(tokenizer.decode([token]), token, logits[0])


def translate_all(
    model: EncoderDecoder,
    tokenizer: CharTokenizer,
    texts: Sequence[str],
    *,
    cross_head_mask: Tensor | None = None,
) -> list[str]:
    """The translations of some texts, which are read as one batch. Raises as translate does."""
    rows = [source_ids(tokenizer, model.config, text) for text in texts]
    start, end = (tokenizer.encode(each)[0] for each in (START, END))
    device = model.head.weight.device
    source, mask = (each.to(device) for each in source_batch(tokenizer, rows))
    written: list[Tensor] = []
    ended = torch.zeros(len(rows), dtype=torch.bool, device=device)
    for logits in greedy(model, source, mask, start, cross_head_mask):
        written.append(logits.argmax(dim=-1))
        ended |= written[-1] == end
        if ended.all():
            break
    outputs = (tokenizer.decode(row) for row in torch.stack(written, dim=1).tolist())
    return [output.partition(END)[0] for output in outputs]

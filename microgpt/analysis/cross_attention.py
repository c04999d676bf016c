"""A translation with its attention: the three kinds of maps of an encoder–decoder over one text."""

from dataclasses import dataclass

import torch
from torch import Tensor

from microgpt.encoder_decoder import EncoderDecoder, Maps
from microgpt.model import finite
from microgpt.pairs import START, source_batch, source_ids
from microgpt.tokenizer import CharTokenizer
from microgpt.translate import translate


@dataclass(frozen=True)
class Translation:
    """What a model writes for a source of S characters, and the attention of its heads.

    output: the text, without END; it has T - 1 characters if the model wrote END (is_complete),
    else T. encoder: (L, H, S, S). decoder: (L, H, T, T), whose keys are START and the output.
    cross: (L, H, T, S). logits: (T, V). Row t of decoder, cross and logits belongs to the step that
    writes character t of the output; the last row of a complete translation writes END.
    """

    source: str
    output: str
    is_complete: bool
    encoder: Tensor
    decoder: Tensor
    cross: Tensor
    logits: Tensor


@torch.inference_mode()
def translation(
    model: EncoderDecoder,
    tokenizer: CharTokenizer,
    text: str,
    *,
    cross_head_mask: Tensor | None = None,
) -> Translation:
    """Translate a text with a model in eval mode, and keep the attention of its heads.

    cross_head_mask: (L, H), 0 for the cross-attention heads that are switched off. Raises
    SourceError, UnknownCharacterError and ModelOverflowError.
    """
    stream = translate(model, tokenizer, text, cross_head_mask=cross_head_mask)
    output = "".join(character.text for character in stream)
    source, mask = source_batch(tokenizer, [source_ids(tokenizer, model.config, text)])
    is_complete = len(output) < model.config.block_size
    read = (START + output) if is_complete else (START + output)[:-1]
    logits, maps = model.forward_with_attention(
        source,
        torch.tensor([tokenizer.encode(read)]),
        mask,
        cross_head_mask=cross_head_mask,
    )
    maps = Maps(*(finite(each)[0] for each in maps))
    return Translation(text, output, is_complete, *maps, finite(logits)[0])

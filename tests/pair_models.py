"""Small encoder–decoders for tests, whose parameters are all random."""

import torch

from microgpt.config import EncoderDecoderConfig
from microgpt.encoder_decoder import EncoderDecoder
from microgpt.tokenizer import CharTokenizer

TOKENIZER = CharTokenizer("\t\n ,-./0123456789JMTacehijlmnopruy")
CONFIG = EncoderDecoderConfig(
    vocab_size=TOKENIZER.vocab_size,
    block_size=11,
    n_layer=2,
    n_head=3,
    n_embd=24,
    dropout=0.0,
    source_size=20,
)


def random_pair_model(seed: int = 0, std: float = 0.4) -> EncoderDecoder:
    """Make an encoder–decoder in eval mode with random parameters, all of which matter."""
    generator = torch.Generator().manual_seed(seed)
    model = EncoderDecoder(CONFIG).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.normal_(0.0, std, generator=generator)
    return model

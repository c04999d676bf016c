"""Generate text: a stream of characters from a model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from microgpt.engine import Decoder
from microgpt.sampling import SamplingConfig, next_token_probs, sample
from microgpt.tokenizer import CharTokenizer

# Learned position embeddings do not allow a sliding cache. When the window is full, the model reads
# the last part of it again from position 0. KEPT is the smallest such fraction that raises the loss
# by at most 0.005 nats per character, as measured by tests/benchmarks/sliding.py.
KEPT = 1 / 8


@dataclass(frozen=True)
class GeneratedCharacter:
    """One generated character: its text, its id and the logits (V,) that it was drawn from."""

    text: str
    token: int
    logits: Tensor


def start_ids(tokenizer: CharTokenizer, prompt: str) -> list[int]:
    """The ids from which generation starts: those of the prompt, or a newline if it is empty.

    If the vocabulary has no newline, its first character is used. Raises UnknownCharacterError.
    """
    return tokenizer.encode(prompt) or [max(0, tokenizer.characters.find("\n"))]


def generate(
    decoder: Decoder,
    tokenizer: CharTokenizer,
    ids: Sequence[int],
    length: int,
    config: SamplingConfig,
) -> Iterator[GeneratedCharacter]:
    """Yield `length` characters that continue a text, one at a time.

    ids: the ids of the text; only the last block_size of them are read. When the window is full,
    the last part of it (the fraction KEPT) is read again from position 0. With config.exact, the
    last block_size ids are read again for every character instead. The decoder is reset, and must
    not be used for anything else until the iterator ends.
    """
    ids = list(ids)
    window = decoder.config.block_size
    kept = window if config.exact else max(1, int(KEPT * window))
    generator = torch.Generator().manual_seed(config.seed)
    cached = 0  # positions in the decoder's cache
    for _ in range(length):
        if 0 < cached < window:
            cached += 1
            logits = decoder.step(ids[-1])
        else:
            cached = min(len(ids), kept if cached else window)
            logits = decoder.prefill(ids[-cached:])
        probs = next_token_probs(logits, config)
        token = sample(probs, generator)
        ids.append(token)
        yield GeneratedCharacter(tokenizer.decode([token]), token, logits)

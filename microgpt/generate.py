"""The stream of characters a model writes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from microgpt.engine import Decoder
from microgpt.sampling import SamplingConfig, next_token_probs, sample
from microgpt.tokenizer import CharTokenizer

# Learned positions make a cache stale when the window slides, so of a full window the last part is
# read again, KEPT of it, and there is room to go on: the least that was measured to cost no more
# than 0.005 nats (tests/benchmarks/sliding.py).
KEPT = 1 / 8


@dataclass(frozen=True)
class GeneratedCharacter:
    """One character as it was written: its text, its id and the logits (V,) it was drawn from."""

    text: str
    token: int
    logits: Tensor


def start_ids(tokenizer: CharTokenizer, prompt: str) -> list[int]:
    """The ids a generation goes on from: the prompt's, or a newline's where the prompt is empty.

    A vocabulary without a newline starts from its first character. Raises UnknownCharacterError.
    """
    return tokenizer.encode(prompt) or [max(0, tokenizer.characters.find("\n"))]


def generate(
    decoder: Decoder,
    tokenizer: CharTokenizer,
    ids: Sequence[int],
    length: int,
    config: SamplingConfig,
) -> Iterator[GeneratedCharacter]:
    """Write `length` characters after the ids of a text, one at a time.

    The model sees at most its window: of a longer text the last part, and when the window is full
    KEPT of it, or with config.exact all of it, is read again from position 0. The decoder starts
    anew and must not be used for anything else until the stream ends.
    """
    ids = list(ids)
    window = decoder.config.block_size
    again = window if config.exact else max(1, int(KEPT * window))
    generator = torch.Generator().manual_seed(config.seed)
    seen = 0
    for _ in range(length):
        if 0 < seen < window:
            seen += 1
            logits = decoder.step(ids[-1])
        else:
            seen = min(len(ids), again if seen else window)
            logits = decoder.read(ids[-seen:])
        probs = next_token_probs(logits, config)
        token = sample(probs, generator)
        ids.append(token)
        yield GeneratedCharacter(tokenizer.decode([token]), token, logits)

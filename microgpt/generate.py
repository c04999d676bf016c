"""Generate text: a stream of characters from a model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from microgpt.engine import Decoder, Text
from microgpt.model import finite
from microgpt.sampling import SamplingConfig, sample
from microgpt.tokenizer import CharTokenizer


@dataclass(frozen=True)
class GeneratedCharacter:
    """One generated character: its text, its id and the logits (V,) that it was drawn from."""

    text: str
    token: int
    logits: Tensor


def start_ids(tokenizer: CharTokenizer, prompt: str) -> list[int]:
    """The ids from which generation starts: those of the prompt.

    If the prompt is empty, generation starts from a newline, or from the first character of the
    vocabulary if that has no newline. Raises UnknownCharacterError.
    """
    return tokenizer.encode(prompt) or [max(0, tokenizer.characters.find("\n"))]


def generate(
    decoder: Decoder,
    tokenizer: CharTokenizer,
    ids: Sequence[int],
    length: int,
    config: SamplingConfig,
    drawn: int = 0,
) -> Iterator[GeneratedCharacter]:
    """Yield `length` characters that continue a text, one at a time.

    ids: the ids of the text; only the last block_size of them are read. When the window is full,
    the last part of it (the fraction KEPT) is read again from position 0. With config.exact, the
    last block_size ids are read again for every character instead. drawn: how many of the ids, at
    the end, an earlier call drew with the same config; this call then draws what the earlier one
    would have drawn next. The decoder is reset, and must not be used for anything else until the
    iterator ends. Raises ModelOverflowError.
    """
    text = Text(ids, config, decoder.config.block_size, drawn)
    for _ in range(length):
        clear, new = text.next_input()
        logits = finite(decoder.prefill(new) if clear else decoder.step(new[0]))
        [token] = sample(logits[None].numpy(), [config], [text.uniforms])
        text.ids.append(token)
        yield GeneratedCharacter(tokenizer.decode([token]), token, logits)

"""The share of the words written by a model that occur in its corpus.

A character-level model can write words that do not exist. The share of words that do exist measures
how well it has learned to spell.
"""

import re
from collections.abc import Callable

from microgpt.engine import Engine
from microgpt.engine.scheduler import TAKE_SECONDS
from microgpt.generate import start_ids
from microgpt.model import GPT
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer

TEMPERATURE = 0.8
# The number of texts that are written, and the length of each in characters.
TEXTS, LENGTH = 32, 3125
# Letters, with apostrophes inside.
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LAST_WORD = re.compile(_WORD.pattern + r"['’]?\Z")


def words(text: str) -> list[str]:
    """The words of a text, case-folded."""
    return _WORD.findall(text.casefold())


def word_share(texts: list[str], corpus: str) -> float | None:
    """The share of the words of some texts that occur in the corpus, 0 to 1; None without words."""
    known = set(words(corpus))
    written = [word for text in texts for word in words(text)]
    return sum(word in known for word in written) / len(written) if written else None


def write_texts(
    model: GPT,
    tokenizer: CharTokenizer,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[str]:
    """Write TEXTS texts of LENGTH characters at TEMPERATURE, each with its own seed.

    A word at the end of a text is left out, because it may be unfinished. The model must be on the
    CPU and in eval mode. progress is called with the characters done and their total.
    """
    engine = Engine(model)
    start = start_ids(tokenizer, "")
    streams = [
        engine.write(start, LENGTH, SamplingConfig(temperature=TEMPERATURE, seed=seed))
        for seed in range(TEXTS)
    ]
    texts: list[list[int]] = [[] for _ in streams]
    # Take from all streams in turn: a text pauses while its tokens are not taken, and may hold the
    # slot that another one waits for.
    live = set(range(TEXTS))
    while live:
        for at in tuple(live):
            taken = streams[at].take(TAKE_SECONDS / len(live))
            if taken is None:
                live.remove(at)
            else:
                texts[at] += [drawn.token for drawn in taken]
        progress(sum(map(len, texts)), LENGTH * TEXTS)
    return [_LAST_WORD.sub("", tokenizer.decode(text)) for text in texts]

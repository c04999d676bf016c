"""The patterns of attention that head scores measure: one set of keys for each score.

A new head score is one entry in PATTERNS. The table of the command, the JSON file and the page
are made from PATTERNS. Heads with a high score for `previous`, `same` or `induction` are known as
previous-token heads, duplicate-token heads (Wang et al., 2022, IOI) and induction heads (Olsson et
al., 2022). Much attention to `first` is an attention sink (Xiao et al., 2023).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt.tokenizer import CharTokenizer


@dataclass(frozen=True, eq=False)
class Text:
    """A text of T characters, in the form that patterns need.

    ids: (T,). starts: (T,) bool, the first character of a text and of each line after an empty
    one. newline, space: their ids, -1 if the vocabulary has none.
    """

    ids: Tensor
    starts: Tensor
    newline: int
    space: int

    @cached_property
    def key(self) -> Tensor:
        """Positions of the keys, (1, T)."""
        return torch.arange(len(self.ids), device=self.ids.device)[None]

    @property
    def query(self) -> Tensor:
        """Positions of the queries, (T, 1)."""
        return self.key.T

    @cached_property
    def same(self) -> Tensor:
        """Whether the key is an earlier occurrence of the query's character, (T, T) bool."""
        return (self.ids[:, None] == self.ids) & (self.key < self.query)


def texts(data: Tensor, size: int, tokenizer: CharTokenizer) -> list[Text]:
    """Every non-overlapping window of `size` ids of data (1-D), in order."""
    newline, space = (tokenizer.characters.find(character) for character in "\n ")
    breaks = data == newline
    starts = ~breaks
    starts[1:] &= breaks[:-1]
    starts[2:] &= breaks[:-2]
    windows = zip(data.unfold(0, size, size), starts.unfold(0, size, size), strict=True)
    return [Text(ids, marks, newline, space) for ids, marks in windows]


def _after_the_last(count: int, text: Text) -> Tensor:
    """The key after the last earlier occurrence of the `count` characters up to the query."""
    found = text.same
    for back in range(1, count):
        found = found & F.pad(text.same, (back, 0, back, 0))[: len(found), : len(found)]
    last = torch.where(found, text.key, -1).amax(dim=1, keepdim=True)  # (T, 1), -1 for none
    return (text.key == last + 1) & (last >= 0)


@dataclass(frozen=True)
class Pattern:
    """A set of keys for each query; a head score is the mean attention to them.

    about: what a head with a high score attends to, a phrase. keys: returns a mask (T, T), True for
    the keys of the set; row t is for the query at t. Keys after t are ignored. A mask (1, T) holds
    for every query. variant: whether it is a variant of the pattern before it; a variant never
    labels a head. short: a name for a small label, by default the name in PATTERNS.
    """

    about: str
    keys: Callable[[Text], Tensor]
    variant: bool = False
    short: str = ""


def _induction(count: int, characters: str) -> Pattern:
    about = f"the character after the last occurrence of the same {characters}"
    return Pattern(about, partial(_after_the_last, count), variant=count > 1)


PATTERNS = {
    "previous": Pattern("the character before", lambda text: text.key == text.query - 1),
    "previous-2": Pattern(
        "the second character before", lambda text: text.key == text.query - 2, short="two back"
    ),
    "first": Pattern("the first character of the text or window", lambda text: text.key == 0),
    "itself": Pattern("the character itself", lambda text: text.key == text.query),
    "same": Pattern("earlier occurrences of the same character", lambda text: text.same),
    "induction": _induction(1, "character"),
    "induction-2": _induction(2, "two characters"),
    "induction-3": _induction(3, "three characters"),
    "induction-4": _induction(4, "four characters"),
    "newline": Pattern("newlines", lambda text: text.ids[None] == text.newline),
    "space": Pattern("spaces", lambda text: text.ids[None] == text.space),
    "speaker": Pattern(
        "the first character of the text and of each line after an empty line",
        lambda text: text.starts[None],
    ),
}


def pattern_keys(name: str, text: str, tokenizer: CharTokenizer) -> np.ndarray:
    """The keys of a pattern for each query of a text of T characters, bool, to broadcast to (T, T).

    Raises UnknownCharacterError.
    """
    [found] = texts(torch.tensor(tokenizer.encode(text)), len(text), tokenizer)
    return PATTERNS[name].keys(found).numpy()


def short_name(name: str) -> str:
    """The name of a score in a small label. Raises KeyError for a name that is not in PATTERNS."""
    return PATTERNS[name].short or name

"""Scores of the neurons of an MLP: how well each separates a kind of character from all others."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# A kind is scored only if the text has this many positions of the kind, and this many others.
MIN_COUNT = 4
SHUFFLES = 8
# A score this far above chance says what the neuron does.
CLEAR = 0.2


def _characters(test: Callable[[str], bool]) -> Callable[[str], list[bool]]:
    """A kind that depends on the character alone."""
    return lambda text: [test(char) for char in text]


def _matches(pattern: str) -> Callable[[str], list[bool]]:
    """The characters within the matches of a regular expression."""

    def where(text: str) -> list[bool]:
        inside = [False] * len(text)
        for match in re.finditer(pattern, text, re.MULTILINE):
            inside[match.start() : match.end()] = [True] * len(match[0])
        return inside

    return where


def _is_vowel(char: str) -> bool:
    return unicodedata.normalize("NFD", char)[0].casefold() in "aeiou"


_LETTER = r"[^\W\d_]"
# Kinds of positions by name, a phrase. A function returns for each position whether it is one.
KINDS: dict[str, Callable[[str], list[bool]]] = {
    "capital letters": _characters(str.isupper),
    "vowels": _characters(_is_vowel),
    "spaces": _characters(lambda char: char == " "),
    "newlines": _characters(lambda char: char == "\n"),
    "punctuation": _characters(lambda char: unicodedata.category(char)[0] == "P"),
    "the first character of a line": _matches(r"(?<=\n)[^\n]"),
    "the first letter of a word": _matches(rf"(?<!{_LETTER}){_LETTER}"),
    # The character after the end of the text is unknown.
    "the last letter of a word": _matches(rf"{_LETTER}(?!{_LETTER})(?!\Z)"),
    "names of speakers": _matches(r"^[^\n:]+(?=:$)"),
}


def kinds_in(text: str) -> dict[str, list[bool]]:
    """The kinds that can be scored on a text of P characters, with P booleans each.

    First the names in KINDS, then single characters, in the order of their code points, except the
    space and the newline, which have names.
    """
    found = {name: where(text) for name, where in KINDS.items()}
    found |= {char: [each == char for each in text] for char in sorted(set(text) - set(" \n"))}
    return {
        name: mask
        for name, mask in found.items()
        if MIN_COUNT <= sum(mask) <= len(text) - MIN_COUNT
    }


@dataclass(frozen=True)
class Found:
    """The neuron of a layer that separates one kind of position best.

    kind: a name in KINDS, or a single character. neuron: from 0. score: its score. chance: what the
    best neuron of the layer scores for as many random positions.
    """

    kind: str
    neuron: int
    score: float
    chance: float


@dataclass(frozen=True, eq=False)
class NeuronScores:
    """How well each of N neurons separates each of K kinds of positions from all others.

    positions: the number of positions measured. counts: (K,) those of each kind. scores: (K, N),
    the area under the ROC curve: the probability that the neuron is more active at a random
    position of the kind than at a random other one, where a tie counts half (Hanley and McNeil,
    1982). It is 0.5 for a neuron that has nothing to do with the kind, and 1 for one that always
    tells. chance: (K,), the highest score of any neuron for as many random positions, the mean of
    SHUFFLES draws. The best of many neurons is above 0.5 by luck alone.
    """

    positions: int
    kinds: list[str]
    counts: list[int]
    scores: Tensor
    chance: Tensor

    def found(self) -> list[Found]:
        """The best neuron of each kind, in the order of the kinds."""
        best = self.scores.max(dim=1)
        columns = (best.indices.tolist(), best.values.tolist(), self.chance.tolist())
        return [Found(*row) for row in zip(self.kinds, *columns, strict=True)]

    def clearest(self) -> Found | None:
        """The neuron whose score is furthest above chance; None if there is no kind.

        A kind of several characters comes before a single character, if its score is far above
        chance too.
        """
        found = sorted(self.found(), key=lambda each: each.chance - each.score)
        several = (each for each in found if each.kind in KINDS)
        clear = [each for each in several if each.score - each.chance >= CLEAR]
        return next(iter([*clear, *found]), None)

    def kind_of(self, neuron: int) -> Found | None:
        """The kind for which a neuron's score is furthest above chance, if there is a kind.

        A kind for which no neuron scores higher comes before all others.
        """
        if not self.kinds:
            return None
        above = self.scores[:, neuron] - self.chance
        best = self.scores.argmax(dim=1) == neuron
        row = int((above + 2 * best).argmax())  # a difference of scores is at most 1
        score, chance = self.scores[row, neuron].item(), self.chance[row].item()
        return Found(self.kinds[row], neuron, score, chance)


@torch.inference_mode()
def neuron_scores(values: Tensor, text: str) -> NeuronScores:
    """Score the activations (P, N) of a layer's neurons over a text of P characters."""
    kinds = kinds_in(text)
    counts = [sum(mask) for mask in kinds.values()]
    size, width = values.shape
    ranks = _ranks(values)
    masks = torch.tensor(list(kinds.values()), dtype=ranks.dtype).view(len(kinds), size)
    generator = torch.Generator().manual_seed(0)
    order = torch.rand(SHUFFLES, size, generator=generator).argsort(dim=1)
    chance = [
        _areas((order < count).to(ranks.dtype), ranks, count).amax(dim=1).mean() for count in counts
    ]
    scores = [
        _areas(mask[None], ranks, count)[0] for mask, count in zip(masks, counts, strict=True)
    ]
    return NeuronScores(
        positions=size,
        kinds=list(kinds),
        counts=counts,
        scores=torch.stack(scores) if scores else ranks.new_zeros(0, width),
        chance=torch.stack(chance) if chance else ranks.new_zeros(0),
    )


def _ranks(values: Tensor) -> Tensor:
    """The rank of each value in its column, from 1; equal values get their mean rank. (P, N)"""
    columns = values.T.contiguous()
    ordered = columns.sort(dim=1).values
    below = torch.searchsorted(ordered, columns, out_int32=True)
    up_to = torch.searchsorted(ordered, columns, right=True, out_int32=True)
    return ((below + up_to + 1) / 2).T


def _areas(masks: Tensor, ranks: Tensor, count: int) -> Tensor:
    """The areas under the ROC curves, (M, P) and (P, N) -> (M, N), from the sums of the ranks.

    count: the number of positions in each mask.
    """
    wins = masks @ ranks - count * (count + 1) / 2  # the Mann-Whitney U statistic
    return wins / (count * (len(ranks) - count))

"""The neurons of the MLPs: when they fire, and which characters they promote.

A neuron is one of the N = mlp_ratio * C hidden units of a layer's MLP. Its activation at a position
is computed from the residual stream before the MLP, so it needs no forward pass of its own.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from microgpt.analysis.residuals import layer_norm_statistics, residual_stream
from microgpt.config import GPTConfig
from microgpt.model import GPT, finite

# The longest text on which neurons are scored, and the limit in bytes for the residual stream
# before all MLPs and for the activations of a layer over it.
MAX_POSITIONS, MAX_BYTES = 1024, 16 * 2**20
# A kind is scored only if the text has this many positions of the kind, and this many others.
MIN_COUNT = 4
SHUFFLES = 8
# So far above chance, a score says what the neuron does.
CLEAR = 0.2


def max_scored(config: GPTConfig) -> int:
    """The longest text on which the neurons of a model can be scored, in characters."""
    width = max(config.n_layer, config.mlp_ratio) * config.n_embd
    return max(1, min(MAX_POSITIONS, MAX_BYTES // (4 * width)))


@torch.inference_mode()
def mlp_inputs(model: GPT, ids: Sequence[int]) -> Tensor:
    """The residual stream before each MLP over a text of P ids, (L, P, C).

    A text longer than block_size is read in windows that do not overlap. Raises ValueError if there
    are no ids.
    """
    if not ids:
        raise ValueError("there is no token; pass at least one")
    size = model.config.block_size
    windows = (ids[start : start + size] for start in range(0, len(ids), size))
    return torch.cat([residual_stream(model, window).points[1::2] for window in windows], dim=1)


@torch.inference_mode()
def activations(model: GPT, inputs: Tensor, layer: int, neuron: int | None = None) -> Tensor:
    """The outputs of a layer's N neurons, (P, N); those of one neuron, (P,).

    inputs: (P, C), the residual stream before the MLP of this layer: point 2 layer + 1 of
    ResidualStream, or a row of mlp_inputs. layer, neuron: from 0. Raises IndexError if there is no
    such layer or neuron.
    """
    block = model.block(layer)
    x, up = block.ln_mlp(inputs), block.mlp.up
    if neuron is None:
        return finite(block.mlp.activation(up(x)))
    bias = 0.0 if up.bias is None else up.bias[neuron]
    return finite(block.mlp.activation(x @ up.weight[neuron] + bias))


def reaches_logits(config: GPTConfig, layer: int) -> bool:
    """Whether the output of a layer's MLP is a term of what the head reads.

    Without residual connections this holds for the last layer only.
    """
    return config.residual or layer == config.n_layer - 1


@torch.inference_mode()
def direct_effect(
    model: GPT, last: Tensor, layer: int, neuron: int, activation: float = 1.0
) -> Tensor:
    """What an activation of a neuron adds to each logit, (V,), on the direct path.

    last: (C,), the last point of the residual stream at the position. The neuron adds its column of
    the down-projection to the stream. The final LayerNorm is frozen: it subtracts the mean of what
    was added and divides by the standard deviation that it computed at the position (Elhage et al.,
    2021). The mean over the vocabulary is subtracted, because a constant in all logits changes no
    probability. layer, neuron: from 0. Raises ValueError unless reaches_logits.
    """
    if not reaches_logits(model.config, layer):
        raise ValueError(
            f"without residual connections, layer {layer + 1} has no direct path to the logits; "
            "choose the last layer"
        )
    added = activation * model.block(layer).mlp.down.weight[:, neuron]  # (C,)
    if isinstance(ln := model.ln_final, nn.LayerNorm):
        _, deviation = layer_norm_statistics(ln, last)
        added = ln.weight * (added - added.mean()) / deviation
    logits = model.head.weight @ added
    return finite(logits - logits.mean())


def strongest(values: Sequence[float], count: int, apart: int) -> list[int]:
    """The positions with the largest values above 0, at most `count`, the largest first.

    Any two are at least `apart` positions apart.
    """
    found: list[int] = []
    for at in sorted(range(len(values)), key=lambda at: -values[at]):
        if len(found) == count or values[at] <= 0:
            break
        if all(abs(at - other) >= apart for other in found):
            found.append(at)
    return found


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
    # The next character of the text's last one is unknown.
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
        """The kind for which a neuron's score is furthest above chance, if there is a kind."""
        if not self.kinds:
            return None
        row = int((self.scores[:, neuron] - self.chance).argmax())
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

"""What a head does: how much it looks at what, over one text or over many windows."""

import itertools
import unicodedata
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from microgpt.analysis.ablation import mean_loss_changes
from microgpt.analysis.attention import most_positions
from microgpt.analysis.head_scores import KINDS, HeadScores, SwitchedOff
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer

# Heads are switched off over so many windows only: each takes as long as half of all heads' maps.
ABLATED_WINDOWS = 8
CLASSES = ("vowel", "consonant", "capital", "space", "newline", "punctuation or other")


def _speaker_starts(ids: Tensor, newline: int) -> Tensor:
    """(T,) bool, the first character of a text, and of each line that follows an empty one."""
    breaks = ids == newline
    starts = ~breaks
    starts[1:] &= breaks[:-1]
    starts[2:] &= breaks[:-2]
    return starts


def _keys(ids: Tensor, starts: Tensor, newline: int, space: int) -> dict[str, Tensor]:
    """The keys that count for each query and kind, (T, T) bool, row t of the query at t."""
    positions = torch.arange(len(ids), device=ids.device)
    query, key = positions[:, None], positions[None]
    seen = key <= query
    same = (ids[:, None] == ids) & (key < query)
    last = torch.where(same, key, -1).amax(dim=1, keepdim=True)  # (T, 1), -1 where there is none
    return {
        "previous": key == query - 1,
        "first": (key == 0) & seen,
        "itself": key == query,
        "same": same,
        "induction": (key == last + 1) & (last >= 0),
        "newline": (ids == newline) & seen,
        "space": (ids == space) & seen,
        "speaker": starts & seen,
    }


class _Sums:
    """Sums over queries, of one text after another."""

    def __init__(self, tokenizer: CharTokenizer) -> None:
        # -1, which is no id, where the vocabulary has none
        self.newline, self.space = (tokenizer.characters.find(char) for char in "\n ")
        self.positions = 0
        self.attention: Tensor | float = 0.0  # (L, H, kinds)
        self.counts: Tensor | int = 0  # (kinds,)
        self.even: Tensor | float = 0.0  # (kinds,)
        self.entropy: Tensor | float = 0.0  # (L, H)
        self.distance: Tensor | float = 0.0  # (L, H)

    def add(self, weights: Tensor, ids: Tensor, starts: Tensor) -> None:
        """Take in the attention (L, H, T, T) over a text (T,). Raises ValueError when T < 2."""
        weights = _queries(weights)
        kinds = _keys(ids, starts, self.newline, self.space)
        keys = torch.stack([kinds[kind] for kind in KINDS])  # (kinds, T, T)
        positions = torch.arange(len(ids), device=ids.device)
        back = (positions[:, None] - positions).clamp_min(0)
        keys, back = keys[:, 1:], back[1:]
        columns = torch.cat([keys, back[None]]).flatten(1).to(weights.dtype)
        sums = (weights.flatten(2) @ columns.T).double()  # (L, H, kinds + 1)
        self.positions += len(ids) - 1
        self.attention = self.attention + sums[..., :-1]
        self.distance = self.distance + sums[..., -1]
        self.entropy = self.entropy + torch.special.entr(weights).sum(dim=(-2, -1)).double()
        self.counts = self.counts + keys.any(dim=-1).sum(dim=-1)
        self.even = self.even + (keys.sum(dim=-1) / (positions[1:] + 1)).sum(dim=-1).double()

    def means(self) -> HeadScores:
        counts = self.counts.tolist()
        known = [(at, kind) for at, kind in enumerate(KINDS) if counts[at]]
        means = (self.attention / self.counts).clamp(0, 1).float().cpu()  # above 1 by rounding
        even = self.even / self.counts
        return HeadScores(
            positions=self.positions,
            counts=dict(zip(KINDS, counts, strict=True)),
            even={kind: even[at].item() for at, kind in known},
            scores={kind: means[..., at] for at, kind in known},
            entropy=(self.entropy / self.positions).float().cpu(),
            distance=(self.distance / self.positions).float().cpu(),
        )


def text_scores(weights: Tensor, ids: list[int], tokenizer: CharTokenizer) -> HeadScores:
    """What the heads do over one text, from its attention (L, H, T, T).

    Raises ValueError for less than two characters.
    """
    text = torch.tensor(ids, device=weights.device)
    sums = _Sums(tokenizer)
    sums.add(weights, text, _speaker_starts(text, sums.newline))
    return sums.means()


@torch.inference_mode()
def head_scores(
    model: GPT,
    tokenizer: CharTokenizer,
    data: Tensor,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> HeadScores:
    """What the heads of a model in eval mode do over every non-overlapping window of data (1-D).

    A window is the model's, or as long as the maps of all heads stay within bounds. Each head is
    also switched off over ABLATED_WINDOWS of them, spread evenly. progress is told passes done and
    in all. Raises ValueError for less than a window, or one of one character.
    """
    size = most_positions(model.config)
    if len(data) < size:
        raise ValueError(f"a text needs {size} characters, which is one window")
    sums = _Sums(tokenizer)
    texts = data.unfold(0, size, size)  # (windows, T)
    starts = _speaker_starts(data, sums.newline).unfold(0, size, size)
    few = min(ABLATED_WINDOWS, len(texts))
    ablated = texts[torch.arange(few) * len(texts) // few]
    passes = itertools.count(1)
    total = len(texts) + few * model.config.n_layer * model.config.n_head
    for text, marks in zip(texts, starts, strict=True):
        sums.add(model.forward_with_attention(text[None])[1][0], text, marks)
        progress(next(passes), total)
    changes = mean_loss_changes(model, ablated, lambda: progress(next(passes), total))
    return replace(sums.means(), off=SwitchedOff(few * (size - 1), changes))


def class_of(character: str) -> str:
    """The one of CLASSES that a character is of; accents change nothing."""
    if character in (" ", "\n"):
        return "space" if character == " " else "newline"
    if character.isupper():
        return "capital"
    letter = unicodedata.normalize("NFD", character)[0]
    if "a" <= letter <= "z":
        return "vowel" if letter in "aeiou" else "consonant"
    return "punctuation or other"


def attention_by_class(weights: Tensor, ids: list[int], tokenizer: CharTokenizer) -> Tensor:
    """Mean attention (L, H, classes) to characters of each of CLASSES; it sums to 1.

    weights: (L, H, T, T) of that text, whose first query is left out. Raises ValueError when T < 2.
    """
    received = _queries(weights).mean(dim=-2)  # (L, H, T)
    classes = [CLASSES.index(class_of(tokenizer.characters[i])) for i in ids]
    index = torch.tensor(classes, device=weights.device)
    return received.new_zeros(*received.shape[:2], len(CLASSES)).index_add(-1, index, received)


def attention_by_distance(weights: Tensor) -> Tensor:
    """Mean attention (L, H, T) to the key d characters back, over the queries that have one.

    weights: (L, H, T, T) of one text, whose first query is left out. Raises ValueError when T < 2.
    """
    rows, size = _queries(weights), weights.size(-1)  # the row of query t is t - 1
    means = [rows.diagonal(1 - back, dim1=-2, dim2=-1).mean(dim=-1) for back in range(size)]
    return torch.stack(means, dim=-1)


def _queries(weights: Tensor) -> Tensor:
    """(L, H, T - 1, T): the first has nothing to choose from, and says nothing of a head."""
    if weights.size(-1) < 2:
        raise ValueError("a text needs two characters")
    return weights[..., 1:, :]

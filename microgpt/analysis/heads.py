"""Measure the heads of a model: head scores, entropy, distance and ablation."""

import itertools
import unicodedata
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from microgpt.analysis.ablation import mean_loss_changes
from microgpt.analysis.attention import max_positions
from microgpt.analysis.head_patterns import PATTERNS, Text, texts
from microgpt.analysis.head_scores import Ablation, HeadScores, Repeated
from microgpt.model import GPT, finite
from microgpt.tokenizer import CharTokenizer

# Ablating one head over a window takes half as long as the attention maps of all heads.
ABLATED_WINDOWS = 8
REPEATED_TEXTS = 16
_TOO_SHORT = "the text is too short; give at least two characters"
CLASSES = ("vowel", "consonant", "capital", "space", "newline", "punctuation or other")


class _Sums:
    """Sums over the queries of all texts added so far."""

    def __init__(self) -> None:
        self.positions = 0
        self.attention = torch.tensor(0.0)  # (L, H, patterns)
        self.counts = torch.tensor(0)  # (patterns,)
        self.uniform = torch.tensor(0.0)  # (patterns,)
        self.entropy = torch.tensor(0.0)  # (L, H)
        self.distance = torch.tensor(0.0)  # (L, H)

    def add(self, weights: Tensor, text: Text) -> None:
        """Add the attention (L, H, T, T) over a text. Raises ValueError when T < 2."""
        weights = _queries(weights)
        seen = text.key <= text.query
        keys = torch.stack([pattern.keys(text) & seen for pattern in PATTERNS.values()])
        keys = keys[:, 1:]  # (patterns, T - 1, T)
        back = (text.query - text.key).clamp_min(0)[1:]  # (T - 1, T)
        columns = torch.cat([keys, back[None]]).flatten(1).to(weights.dtype)
        sums = (weights.flatten(2) @ columns.T).double()  # (L, H, patterns + 1)
        self.positions += len(text.ids) - 1
        self.attention = self.attention + sums[..., :-1]
        self.distance = self.distance + sums[..., -1]
        self.entropy = self.entropy + torch.special.entr(weights).sum(dim=(-2, -1)).double()
        self.counts = self.counts + keys.any(dim=-1).sum(dim=-1)
        shares = keys.sum(dim=-1) / (text.query[1:, 0] + 1)  # (patterns, T - 1)
        self.uniform = self.uniform + shares.sum(dim=-1).double()

    def means(self) -> HeadScores:
        counts = self.counts.tolist()
        measured = [(at, name) for at, name in enumerate(PATTERNS) if counts[at]]
        # Rounding may give a mean above 1.
        means = (self.attention / self.counts).clamp(0, 1).float().cpu()
        uniform = self.uniform / self.counts
        return HeadScores(
            positions=self.positions,
            counts=dict(zip(PATTERNS, counts, strict=True)),
            uniform={name: uniform[at].item() for at, name in measured},
            scores={name: means[..., at] for at, name in measured},
            entropy=(self.entropy / self.positions).float().cpu(),
            distance=(self.distance / self.positions).float().cpu(),
        )


def text_scores(weights: Tensor, ids: list[int], tokenizer: CharTokenizer) -> HeadScores:
    """Head scores over one text of T ids, from its attention (L, H, T, T).

    Raises ValueError for fewer than two characters.
    """
    if len(ids) < 2:
        raise ValueError(_TOO_SHORT)
    (text,) = texts(torch.tensor(ids, device=weights.device), len(ids), tokenizer)
    sums = _Sums()
    sums.add(weights, text)
    return sums.means()


def _spread(windows: list[Text], most: int) -> list[Text]:
    """At most this many windows, spread evenly over all of them."""
    count = min(most, len(windows))
    return [windows[n * len(windows) // count] for n in range(count)]


@torch.inference_mode()
def head_scores(
    model: GPT,
    tokenizer: CharTokenizer,
    data: Tensor,
    progress: Callable[[int, int], object] = lambda done, total: None,
    most_windows: int | None = None,
) -> HeadScores:
    """Head scores of a model in eval mode over every non-overlapping window of data (1-D).

    A window has max_positions characters. Each head is also ablated over ABLATED_WINDOWS windows,
    spread evenly over data. most_windows: measure at most this number of windows, spread evenly
    over data, and make at most this number of forward passes with an ablated head, but at least one
    for each head. progress is called with the number of forward passes done and their total. Raises
    ValueError if data is shorter than a window or a window has one character.
    """
    size = max_positions(model.config)
    if len(data) < size:
        raise ValueError(f"the text is too short; give at least {size} characters, one window")
    sums = _Sums()
    windows = texts(data, size, tokenizer)
    heads = model.config.n_layer * model.config.n_head
    few = min(ABLATED_WINDOWS, len(windows))
    if most_windows is not None:
        windows = _spread(windows, most_windows)
        few = max(1, min(few, most_windows // heads))
    ablated = torch.stack([text.ids for text in _spread(windows, few)])
    passes = itertools.count(1)
    total = len(windows) + few * heads
    for text in windows:
        sums.add(finite(model.forward_with_attention(text.ids[None])[1][0]), text)
        progress(next(passes), total)
    changes = mean_loss_changes(model, ablated, lambda: progress(next(passes), total))
    ablation = Ablation(few * (size - 1), changes)
    return replace(sums.means(), ablation=ablation, repeated=repeated_scores(model, tokenizer))


@torch.inference_mode()
def repeated_scores(model: GPT, tokenizer: CharTokenizer) -> Repeated | None:
    """The induction scores of a model in eval mode on REPEATED_TEXTS random texts, written twice.

    A text is a random order of the vocabulary without white space, which would divide it into words
    and lines. It is cut to half a window. In it, each character is always followed by the same one.
    The texts are always the same. The queries are in the second half, without the last. None if a
    text would have fewer than two characters.
    """
    characters = enumerate(tokenizer.characters)
    vocabulary = torch.tensor([i for i, char in characters if not char.isspace()])
    half = min(len(vocabulary), max_positions(model.config) // 2)
    if half < 2:
        return None
    device = model.head.weight.device
    generator = torch.Generator().manual_seed(0)
    sums = torch.zeros(model.config.n_layer, model.config.n_head, dtype=torch.float64)
    for _ in range(REPEATED_TEXTS):
        order = torch.randperm(len(vocabulary), generator=generator)[:half]
        ids = vocabulary[order].to(device)
        weights = model.forward_with_attention(ids.repeat(2)[None])[1][0]  # (L, H, T, T)
        # The query at half + n attends to the key at n + 1.
        induction = finite(weights).diagonal(1 - half, dim1=-2, dim2=-1)[..., 1:half]
        sums += induction.double().mean(dim=-1).cpu()
    scores = (sums / REPEATED_TEXTS).float().clamp(0, 1)
    uniform = (1 / torch.arange(half + 1, 2 * half, dtype=torch.float64)).mean().item()
    return Repeated(REPEATED_TEXTS * (half - 1), uniform, scores)


def class_of(character: str) -> str:
    """The entry of CLASSES that a character belongs to; accents are ignored."""
    if character in (" ", "\n"):
        return "space" if character == " " else "newline"
    if character.isupper():
        return "capital"
    letter = unicodedata.normalize("NFD", character)[0]
    if "a" <= letter <= "z":
        return "vowel" if letter in "aeiou" else "consonant"
    return "punctuation or other"


def attention_by_class(weights: Tensor, ids: list[int], tokenizer: CharTokenizer) -> Tensor:
    """Mean attention (L, H, classes) to the characters of each class; sums to 1 over CLASSES.

    weights: (L, H, T, T) of the text; its first query is left out. Raises ValueError when T < 2.
    """
    received = _queries(weights).mean(dim=-2)  # (L, H, T)
    classes = [CLASSES.index(class_of(tokenizer.characters[i])) for i in ids]
    index = torch.tensor(classes, device=weights.device)
    return received.new_zeros(*received.shape[:2], len(CLASSES)).index_add(-1, index, received)


def attention_by_distance(weights: Tensor) -> Tensor:
    """Mean attention (L, H, T) to the key d characters back, d = 0 to T - 1.

    The mean for d is over the queries that have such a key. weights: (L, H, T, T) of one text; its
    first query is left out. Raises ValueError when T < 2.
    """
    rows, size = _queries(weights), weights.size(-1)  # the row of query t is t - 1
    means = [rows.diagonal(1 - back, dim1=-2, dim2=-1).mean(dim=-1) for back in range(size)]
    return torch.stack(means, dim=-1)


def _queries(weights: Tensor) -> Tensor:
    """All queries except the first, (L, H, T - 1, T); the first can attend only to itself."""
    if weights.size(-1) < 2:
        raise ValueError(_TOO_SHORT)
    return weights[..., 1:, :]

"""The predictions of a model over a text, and the probability of each of its characters."""

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from microgpt.analysis.loss import text_logits
from microgpt.engine import Drawn
from microgpt.model import GPT
from microgpt.sampling import SamplingConfig, next_token_probs


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of N characters of a text.

    tokens: (N,) ids of the characters. logits: (N, V), row n is computed from the characters
    before character n.
    """

    tokens: Tensor
    logits: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, part: slice) -> "Predictions":
        return Predictions(self.tokens[part], self.logits[part])

    # In NumPy: its calls take a fraction of the time of PyTorch's and wake no other threads.

    @cached_property
    def log_probs(self) -> np.ndarray:
        """(N, V) log-probabilities of the model itself, nats; no sampling setting is applied."""
        logits = self.logits.detach().numpy().astype(np.float64)
        logits -= logits.max(axis=-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))

    @cached_property
    def surprisal(self) -> np.ndarray:
        """(N,) surprisal of each character: -log p, nats. Its mean is the loss."""
        return -np.take_along_axis(self.log_probs, self.tokens.numpy()[:, None], axis=-1)[:, 0]

    @property
    def probability(self) -> np.ndarray:
        """(N,) probability of each character according to the model itself."""
        return np.exp(-self.surprisal)

    @property
    def loss(self) -> float:
        """Mean surprisal, nats per character; NaN if there are no characters."""
        return float(self.surprisal.mean()) if len(self) else math.nan

    def most_surprising(self, count: int) -> list[int]:
        """The positions of at most `count` characters, the most surprising first."""
        return np.argsort(-self.surprisal, kind="stable")[:count].tolist()

    @cached_property
    def order(self) -> np.ndarray:
        """(N, V) ids from the likeliest to the least likely; ties are sorted by id."""
        return np.argsort(-self.logits.detach().numpy(), axis=-1, kind="stable")

    @cached_property
    def rank(self) -> np.ndarray:
        """(N,) rank of each character in the vocabulary, 1 for the likeliest."""
        return (self.order == self.tokens.numpy()[:, None]).argmax(axis=-1) + 1

    @cached_property
    def entropy(self) -> np.ndarray:
        """(N,) entropy of each prediction, nats, 0 to ln V."""
        finite = np.where(np.isneginf(self.log_probs), 0.0, self.log_probs)
        return -(np.exp(self.log_probs) * finite).sum(axis=-1)

    def drawn_probs(self, config: SamplingConfig) -> np.ndarray:
        """(N, V) probabilities from which characters are drawn with these settings."""
        return next_token_probs(self.logits, config).numpy()

    def drawn_with(self, config: SamplingConfig) -> np.ndarray:
        """(N,) probability with which each character is drawn with these settings."""
        tokens = self.tokens.numpy()[:, None]
        return np.take_along_axis(self.drawn_probs(config), tokens, axis=-1)[:, 0]


class GrowingPredictions:
    """The predictions of a text while it is generated; threads may add and read at any time.

    Memory for `length` characters of a vocabulary of `vocab_size` is allocated at the start. start:
    the predictions of the first of these characters.
    """

    def __init__(self, length: int, vocab_size: int, start: Predictions | None = None):
        self._tokens = torch.empty(length, dtype=torch.long)
        self._logits = torch.empty(length, vocab_size)
        self._count, self._ended, self._adding = 0, False, threading.Lock()
        if start is not None:
            self._count = len(start)
            self._tokens[: self._count] = start.tokens
            self._logits[: self._count] = start.logits

    def __len__(self) -> int:
        return self._count

    def extend(self, drawn: Sequence[Drawn]) -> None:
        """Add characters, unless the text has ended. Raises IndexError if they are too many."""
        with self._adding:
            if self._ended or not drawn:
                return
            if self._count + len(drawn) > len(self._tokens):
                raise IndexError(f"the text has at most {len(self._tokens)} characters")
            part = slice(self._count, self._count + len(drawn))
            self._tokens[part] = torch.tensor([token for token, _ in drawn])
            self._logits[part] = torch.stack([logits for _, logits in drawn])
            self._count += len(drawn)

    def end(self) -> None:
        """End the text: later calls of extend do nothing."""
        with self._adding:
            self._ended = True

    @property
    def so_far(self) -> Predictions:
        """The predictions of the characters added until now."""
        count = self._count  # another thread may raise it
        return Predictions(self._tokens[:count], self._logits[:count])


def of_drawn(drawn: Iterable[Drawn]) -> Predictions:
    """The predictions of N >= 1 generated characters. Raises RuntimeError for none."""
    made = list(drawn)
    tokens = torch.tensor([token for token, _ in made])  # (N,)
    return Predictions(tokens, torch.stack([logits for _, logits in made]))


def of_text(ids: Sequence[int], logits: Tensor) -> Predictions:
    """The predictions of the N - 1 characters of a text after its first one.

    ids: N. logits: (N, V), row n predicts the character after character n.
    """
    return Predictions(torch.tensor(ids[1:], dtype=torch.long), logits[: len(ids) - 1])


def predict_text(
    model: GPT,
    ids: Sequence[int],
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Predictions:
    """Run a model in eval mode over a text of any length; predict all characters except the first.

    progress is called with the characters done and their total. Raises ValueError for fewer than
    two ids.
    """
    data = torch.tensor(ids, dtype=torch.long)  # (N,)
    return Predictions(data[1:], text_logits(model, data, progress))


def model_probs(logits: Tensor) -> Tensor:
    """The model's probabilities (..., V) from its logits (..., V), in float64."""
    return logits.double().softmax(dim=-1)


@dataclass(frozen=True, eq=False)
class NextCharacter:
    """The distribution of one character, before and after the sampling settings.

    model: (V,) the model's probabilities. drawn: (V,) the probabilities after the settings.
    """

    model: Tensor
    drawn: Tensor

    @property
    def possible(self) -> int:
        """How many characters can be drawn."""
        return int((self.drawn > 0).sum())

    @property
    def removed(self) -> float:
        """The total probability, according to the model, of the characters that cannot be drawn."""
        return float(self.model[self.drawn == 0].sum())


def next_character(logits: Tensor, config: SamplingConfig) -> NextCharacter:
    """The distribution from logits (V,), before and after the sampling settings."""
    return NextCharacter(model_probs(logits), next_token_probs(logits, config))


def first_difference(one: Predictions, other: Predictions) -> int | None:
    """The first position, from 0, at which two texts differ; None if they are equal."""
    length = min(len(one), len(other))
    differ = (one.tokens[:length] != other.tokens[:length]).nonzero()
    if len(differ):
        return int(differ[0])
    return length if len(one) != len(other) else None

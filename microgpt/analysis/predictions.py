"""What a model expected at each character of a text, and how the text compares."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from microgpt.sampling import SamplingConfig, next_token_probs


@dataclass(frozen=True, eq=False)
class Predictions:
    """N characters, each with the prediction that was made of it.

    tokens: (N,) ids. logits: (N, V), row n from all that stood before character n.
    """

    tokens: Tensor
    logits: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, part: slice) -> "Predictions":
        return Predictions(self.tokens[part], self.logits[part])

    @cached_property
    def log_probs(self) -> Tensor:
        """(N, V), nats, of the model itself: at temperature 1, nothing cut off."""
        return self.logits.double().log_softmax(dim=-1)

    @cached_property
    def surprise(self) -> Tensor:
        """(N,) -log p of each character, nats; the mean over a text is its loss."""
        return -self.log_probs.gather(-1, self.tokens[:, None])[:, 0]

    @cached_property
    def order(self) -> Tensor:
        """(N, V) ids from likeliest to least; equals stand by id."""
        return self.logits.argsort(dim=-1, descending=True, stable=True)

    @cached_property
    def rank(self) -> Tensor:
        """(N,) each character's place among all, 1 for the likeliest."""
        return (self.order == self.tokens[:, None]).long().argmax(dim=-1) + 1

    @cached_property
    def entropy(self) -> Tensor:
        """(N,) nats: how undecided the model was, 0 to ln V."""
        return -(self.log_probs.exp() * self.log_probs.nan_to_num(neginf=0.0)).sum(dim=-1)

    def drawn_probs(self, config: SamplingConfig) -> Tensor:
        """(N, V), the probabilities to draw from under these settings."""
        return next_token_probs(self.logits, config)

    def drawn_with(self, config: SamplingConfig) -> Tensor:
        """(N,) the probability of each character under these settings."""
        return self.drawn_probs(config).gather(-1, self.tokens[:, None])[:, 0]


def first_difference(one: Predictions, other: Predictions) -> int | None:
    """Where two texts part, from 0; None where neither has a character the other lacks."""
    length = min(len(one), len(other))
    differ = (one.tokens[:length] != other.tokens[:length]).nonzero()
    if len(differ):
        return int(differ[0])
    return length if len(one) != len(other) else None


def to_csv(
    trace: Predictions,
    characters: str,
    config: SamplingConfig | None = None,
    same: Mapping[str, object] | None = None,
) -> str:
    """One row a character: what it is, its probabilities, its rank; control characters escaped.

    With a config, drawn_with is the probability after temperature, top-k and top-p. same holds
    further columns, of one value each.
    """
    columns: dict[str, list[object]] = {
        "position": list(range(1, len(trace) + 1)),
        "character": [repr(characters[token])[1:-1] for token in trace.tokens.tolist()],
        "probability": [f"{p:.6g}" for p in trace.surprise.neg().exp().tolist()],
        "surprise_nats": [f"{s:.6g}" for s in trace.surprise.tolist()],
        "rank": trace.rank.tolist(),
        "entropy_nats": [f"{e:.6g}" for e in trace.entropy.tolist()],
    }
    if config is not None:
        columns["drawn_with"] = [f"{p:.6g}" for p in trace.drawn_with(config).tolist()]
    columns |= {name: [value] * len(trace) for name, value in (same or {}).items()}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()

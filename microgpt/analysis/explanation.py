"""A number of the forward pass, and what it is the sum of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from microgpt.model import ACTIVATIONS

Then = Literal["", "relu", "gelu", "gelu_tanh", "root", "share"]


@dataclass(frozen=True)
class Number:
    """A number of the forward pass at one position; all indices from 0.

    kind: a key of EXPLAINED, which says what `layer`, `head` and `index` mean.
    """

    kind: str
    layer: int = 0
    head: int = 0
    index: int = 0


@dataclass(frozen=True)
class Explanation:
    """A number as a sum of N terms.

    value: the number, as the model computed it. left, right: (N,) float64, the factors of each
    term; right is None if a term is one number. scale: multiplies every product. constant: a bias
    that is added to the sum, None if there is none. then: what the model does with the sum. `relu`,
    `gelu`, `gelu_tanh`: the activation function. `root`: the square root. `share`: the number is
    the term `of` divided by the sum. named: other numbers that took part, by name.
    """

    value: float
    left: Tensor
    right: Tensor | None = None
    scale: float = 1.0
    constant: float | None = None
    then: Then = ""
    of: int = 0
    named: Mapping[str, float] = field(default_factory=dict)

    @property
    def terms(self) -> Tensor:
        """The terms (N,), float64, without the constant."""
        products = self.left if self.right is None else self.left * self.right
        return products * self.scale

    @property
    def total(self) -> float:
        """The sum of all the terms and the constant."""
        return self.terms.sum().item() + (self.constant or 0.0)

    @property
    def result(self) -> float:
        """The number, computed from the terms; it is `value` to the precision of float32."""
        if self.then in ACTIVATIONS:
            return ACTIVATIONS[self.then](torch.tensor(self.total, dtype=torch.float64)).item()
        if self.then == "root":
            return max(0.0, self.total) ** 0.5
        if self.then == "share":
            return self.terms[self.of].item() / self.total
        return self.total

    def largest(self, count: int) -> list[int]:
        """The indices of the terms with the largest absolute values, the largest first."""
        return self.terms.abs().argsort(descending=True, stable=True)[:count].tolist()

    def rest(self, count: int) -> float:
        """The sum of the terms that `largest` leaves out."""
        terms = self.terms.clone()
        terms[self.largest(count)] = 0
        return terms.sum().item()

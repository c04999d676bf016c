"""The logit lens: what a model would predict if it ended after an earlier layer.

nostalgebraist, 2020: interpreting GPT: the logit lens.
"""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt.analysis.predictions import model_probs
from microgpt.model import GPT, finite


@dataclass(frozen=True)
class LogitLens:
    """What the head predicts from N points of the residual stream over a text of T characters.

    likeliest: (N, T), the id of the likeliest next character. probs: (N, T), its probability.
    divergences: (N, T), the KL divergence of the final prediction from that of the point, nats. The
    last point is the final prediction itself.
    """

    likeliest: Tensor
    probs: Tensor
    divergences: Tensor

    def per_layer(self) -> Self:
        """Without the points after the attention: the embeddings, then one point per layer."""
        return type(self)(self.likeliest[::2], self.probs[::2], self.divergences[::2])

    def changes(self, at: int) -> list[int]:
        """The points at which the likeliest character at a position changes.

        The first is 0. From the last on, it is the likeliest character of the final prediction.
        """
        ids = self.likeliest[:, at].tolist()
        return [point for point, each in enumerate(ids) if point == 0 or each != ids[point - 1]]

    @property
    def agreement(self) -> Tensor:
        """(N,) the share of positions at which the likeliest character is already the final one."""
        return (self.likeliest == self.likeliest[-1]).double().mean(dim=1)

    @property
    def mean_divergence(self) -> Tensor:
        """(N,) the mean divergence over the positions, nats."""
        return self.divergences.mean(dim=1)


@torch.inference_mode()
def logit_lens(model: GPT, points: Tensor) -> LogitLens:
    """Read all points (N, T, C) of a residual stream through the final LayerNorm and the head.

    The last point is the output of the last layer. Raises ModelOverflowError if a logit is not
    finite.
    """
    final = _log_probs(model, points[-1])
    # One point at a time: the logits of all points would take N times the memory.
    found = [_read(_log_probs(model, point), final) for point in points]
    return LogitLens(*(torch.stack(rows) for rows in zip(*found, strict=True)))


@torch.inference_mode()
def point_probs(model: GPT, point: Tensor) -> Tensor:
    """The probabilities (V,) that the head predicts from one position of a point, (C,)."""
    return model_probs(finite(model.unembed(point)))


def _log_probs(model: GPT, point: Tensor) -> Tensor:
    return finite(model.unembed(point)).double().log_softmax(dim=-1)  # (T, V)


def _read(log_probs: Tensor, final: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    best = log_probs.max(dim=-1)
    terms = F.kl_div(log_probs, final, reduction="none", log_target=True)  # (T, V)
    return best.indices, best.values.exp(), terms.sum(dim=-1).clamp_min(0)

"""From logits to the next character: pure functions of numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor

from microgpt.config import CheckedConfig

SAMPLING_LIMITS: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_k": (0, 1024),
    "top_p": (0.0, 1.0),
    "seed": (0, 2**32 - 1),
}


@dataclass(frozen=True)
class SamplingConfig(CheckedConfig):
    """How characters are drawn: temperature 0 is greedy, top_k 0 and top_p 1 cut nothing off.

    Raises ConfigError beyond SAMPLING_LIMITS.
    """

    _limits = SAMPLING_LIMITS

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 1


def next_token_probs(
    logits: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> Tensor:
    """Probabilities (..., V) of the next token from its logits (..., V), in float64.

    Temperature divides the logits; then the top_k likeliest tokens are kept (Fan et al., 2018),
    then the fewest of those that hold top_p of the probability (Holtzman et al., 2020); what is
    kept sums to 1. Temperature 0, or one so small that the division overflows, is greedy.
    """
    order = torch.argsort(logits, dim=-1, descending=True, stable=True)
    ranked = logits.gather(-1, order).double()
    best = ranked[..., :1]
    scaled = (ranked - best) / temperature if temperature else torch.full_like(ranked, -1e9)
    scaled[..., 0] = 0.0
    probs = scaled.softmax(dim=-1)
    if top_k:
        probs[..., top_k:] = 0.0
        probs /= probs.sum(dim=-1, keepdim=True)
    # A token stays when those ahead of it do not hold top_p yet; the first always stays.
    ahead = probs.cumsum(dim=-1) - probs
    ahead[..., 0] = -1.0
    probs[ahead >= top_p] = 0.0
    probs /= probs.sum(dim=-1, keepdim=True)
    return torch.zeros_like(probs).scatter_(-1, order, probs)


def sample(probs: Tensor, generator: torch.Generator) -> int:
    """Draw one index from probabilities (V,) by inverting their cumulative sum.

    One float64 uniform a draw, so that equal probabilities and seeds give equal draws anywhere.
    """
    cumulative = probs.double().cumsum(dim=-1)
    uniform = torch.rand((), dtype=torch.float64, generator=generator) * cumulative[-1]
    return int(torch.searchsorted(cumulative, uniform, right=True).clamp_(max=len(probs) - 1))

"""From logits to the next character: pure functions of numbers."""

from dataclasses import dataclass

import numpy as np
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

    exact: past the window each is predicted from a whole window, read anew for it, as in the
    original; else from what is left of one and what was written since. Raises ConfigError beyond
    SAMPLING_LIMITS.
    """

    _limits = SAMPLING_LIMITS

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 1
    exact: bool = False


def next_token_probs(
    logits: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> Tensor:
    """Probabilities (..., V) of the next token from its logits (..., V), in float64.

    Temperature divides the logits; then the top_k likeliest tokens are kept (Fan et al., 2018),
    then the fewest of those that hold top_p of the probability (Holtzman et al., 2020); what is
    kept sums to 1. Temperature 0, or one so small that the division overflows, is greedy.
    """
    # On vectors as short as these NumPy's calls cost a quarter of PyTorch's.
    values = logits.numpy().reshape(-1, logits.size(-1))  # (N, V)
    order, rows = np.argsort(-values, axis=1, kind="stable"), np.arange(len(values))[:, None]
    ranked = values[rows, order].astype(np.float64)
    probs = np.zeros_like(ranked)
    if temperature:
        # Below the floor every gap is beyond what exp tells from zero, and the division is safe.
        np.exp((ranked - ranked[:, :1]) / max(temperature, 1e-60), out=probs)
    probs[:, 0] = 1.0
    if top_k:
        probs[:, top_k:] = 0.0
    probs /= probs.sum(axis=1, keepdims=True)
    if top_p < 1:
        # A token stays when those ahead of it do not hold top_p yet; the first always stays.
        ahead = probs.cumsum(axis=1) - probs
        probs[:, 1:][ahead[:, 1:] >= top_p] = 0.0
        probs /= probs.sum(axis=1, keepdims=True)
    in_order = np.empty_like(probs)
    in_order[rows, order] = probs
    return torch.from_numpy(in_order.reshape(logits.shape))


def sample(probs: Tensor, generator: torch.Generator) -> int:
    """Draw one index from probabilities (V,) by inverting their cumulative sum.

    One float64 uniform a draw, so that equal probabilities and seeds give equal draws anywhere.
    """
    cumulative = probs.double().numpy().cumsum()
    uniform = torch.rand((), dtype=torch.float64, generator=generator).item() * cumulative[-1]
    return min(int(cumulative.searchsorted(uniform, side="right")), len(cumulative) - 1)

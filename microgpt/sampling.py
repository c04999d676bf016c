"""From logits to the next token: pure functions of numbers.

A sampling method is a filter, which is one function, and a field of SamplingConfig that declares
it. The command line, the pages and the files take the settings from that declaration.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from microgpt.config import CheckedConfig

# Sets the weight of each token that it cuts off to 0. It is given weights (N, V), proportional to
# the probabilities, each row from the likeliest token to the least, and the value of its setting.
Filter = Callable[[np.ndarray, Any], None]


def keep_top_k(weights: np.ndarray, k: int) -> None:
    """Keep the k likeliest tokens (Fan et al., 2018)."""
    weights[:, k:] = 0.0


def keep_top_p(weights: np.ndarray, p: float) -> None:
    """Keep the fewest tokens that together hold the probability p (Holtzman et al., 2020)."""
    weights /= weights.sum(axis=1, keepdims=True)
    # A token stays if those ahead of it hold less than p; the first one always stays.
    ahead = weights.cumsum(axis=1) - weights
    weights[:, 1:][ahead[:, 1:] >= p] = 0.0


@dataclass(frozen=True)
class Setting:
    """A setting that shapes the distribution, as people meet it.

    label: its name. help: what its value means, a phrase without a full stop. limits: the lowest
    and the highest value. step: of a slider. filter: keeps some of the tokens; at the default it
    would keep all and is not applied. counts_tokens: the value is a number of tokens, 0 for all.
    """

    default: float
    limits: tuple[float, float]
    label: str
    help: str
    step: float
    filter: Filter | None = None
    counts_tokens: bool = False


def _setting(default: float, limits: tuple[float, float], **shown: Any) -> Any:
    return field(default=default, metadata={"setting": Setting(default, limits, **shown)})


@dataclass(frozen=True)
class SamplingConfig(CheckedConfig):
    """How the next token is drawn; filters are applied in the order of their fields.

    exact: past the window every token is predicted from a whole window, read again for it, as in
    the original; otherwise the last part of a full window is read again, and there is room to go
    on. Raises ConfigError beyond SAMPLING_LIMITS.
    """

    _format_1 = ("temperature", "top_k", "top_p", "seed", "exact")

    temperature: float = _setting(
        0.8,
        (0.0, 2.0),
        label="Temperature",
        help="0 always takes the likeliest character; above 1, unlikely characters become likelier",
        step=0.05,
    )
    top_k: int = _setting(
        0,
        (0, 1024),
        label="Top-k",
        help="choose among the k likeliest characters",
        step=1,
        filter=keep_top_k,
        counts_tokens=True,
    )
    top_p: float = _setting(
        1.0,
        (0.0, 1.0),
        label="Top-p",
        help="choose among the fewest characters that together hold this probability",
        step=0.01,
        filter=keep_top_p,
    )
    seed: int = 1
    exact: bool = False

    @property
    def summary(self) -> str:
        """What shapes the distribution, in one line: temperature 0.8 · top-k 0 · top-p 1."""
        return " · ".join(
            f"{setting.label.lower()} {getattr(self, name):g}"
            for name, setting in SAMPLING_SETTINGS.items()
        )


# The settings that shape the distribution, by the name of their field.
SAMPLING_SETTINGS: dict[str, Setting] = {
    each.name: each.metadata["setting"]
    for each in fields(SamplingConfig)
    if "setting" in each.metadata
}
SAMPLING_LIMITS: dict[str, tuple[float, float]] = {
    **{name: setting.limits for name, setting in SAMPLING_SETTINGS.items()},
    "seed": (0, 2**32 - 1),
}
SamplingConfig._limits = SAMPLING_LIMITS
_FILTERS = [(name, s.default, s.filter) for name, s in SAMPLING_SETTINGS.items() if s.filter]


def next_token_probs(logits: Tensor, config: SamplingConfig) -> Tensor:
    """Probabilities (..., V) of the next token from its logits (..., V), in float64.

    Temperature divides the logits, then the filters cut tokens off; what is kept sums to 1.
    Temperature 0, or one so small that the division overflows, is greedy.
    """
    # On vectors as short as these NumPy's calls cost a quarter of PyTorch's.
    values = logits.numpy().reshape(-1, logits.size(-1))  # (N, V)
    order, rows = np.argsort(-values, axis=1, kind="stable"), np.arange(len(values))[:, None]
    ranked = values[rows, order].astype(np.float64)
    weights = np.zeros_like(ranked)
    if config.temperature:
        # Below the floor every gap is beyond what exp tells from zero, and the division is safe.
        np.exp((ranked - ranked[:, :1]) / max(config.temperature, 1e-60), out=weights)
    weights[:, 0] = 1.0
    for name, keeps_all, keep in _FILTERS:
        if (value := getattr(config, name)) != keeps_all:
            keep(weights, value)
    weights /= weights.sum(axis=1, keepdims=True)
    probs = np.empty_like(weights)
    probs[rows, order] = weights
    return torch.from_numpy(probs.reshape(logits.shape))


def sample(probs: Tensor, generator: torch.Generator) -> int:
    """Draw one index from probabilities (V,) by inverting their cumulative sum.

    One float64 uniform a draw, so that equal probabilities and seeds give equal draws anywhere.
    """
    cumulative = probs.double().numpy().cumsum()
    uniform = torch.rand((), dtype=torch.float64, generator=generator).item() * cumulative[-1]
    return min(int(cumulative.searchsorted(uniform, side="right")), len(cumulative) - 1)

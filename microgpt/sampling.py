"""From logits to the next token: pure functions.

A sampling method is a filter function and a field of SamplingConfig that declares it. The command
line, the pages and the files read the settings from these fields.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from microgpt.config import MODEL_LIMITS, CheckedConfig

# A filter takes weights (N, V) and the values of its setting, (N, 1) or (1, 1) for all rows. The
# weights are proportional to the probabilities, and each row is sorted from the likeliest token to
# the least likely. The filter sets the weights of the tokens that it removes to 0, in place.
Filter = Callable[[np.ndarray, np.ndarray], None]


def keep_top_k(weights: np.ndarray, k: np.ndarray) -> None:
    """Keep the k likeliest tokens (Fan et al., 2018)."""
    weights *= np.arange(weights.shape[1]) < k


def keep_top_p(weights: np.ndarray, p: np.ndarray) -> None:
    """Keep the fewest tokens that together have at least probability p (Holtzman et al., 2020)."""
    weights /= weights.sum(axis=1, keepdims=True)
    # A token stays if the likelier ones sum to less than p; the first one always stays.
    ahead = weights.cumsum(axis=1) - weights
    weights[:, 1:] *= ahead[:, 1:] < p


@dataclass(frozen=True)
class Setting:
    """A setting that changes the distribution, and how it is shown.

    limits: the lowest and the highest value. label: the name on the screen. help: what the value
    means, a phrase without a full stop. step: the step of a slider. filter: removes tokens; it is
    not applied at the default, which keeps all. counts_tokens: the value is a number of tokens; 0
    means all.
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

    exact: how a text continues when the window is full. If True, the model reads the last
    block_size tokens again for every new token, as the original does. If False, it reads only the
    last part of the window again and continues from there, which is faster. Raises ConfigError for
    a value outside SAMPLING_LIMITS.
    """

    _noun = "the sampling settings"
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
        (0, int(MODEL_LIMITS["vocab_size"][1])),
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
        """The settings in one line, without the seed: temperature 0.8 · top-k 0 · top-p 1."""
        return " · ".join(
            f"{setting.label.lower()} {getattr(self, name):g}"
            for name, setting in SAMPLING_SETTINGS.items()
        )


# The settings that change the distribution, by the name of their field.
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

    The logits are divided by the temperature, then the filters remove tokens; the probabilities of
    the remaining tokens sum to 1. Temperature 0, or one so small that the division overflows, is
    greedy: it takes the likeliest token.
    """
    rows = logits.numpy().reshape(-1, logits.size(-1))  # (N, V)
    return torch.from_numpy(_probs(rows, [config]).reshape(logits.shape))


def _probs(logits: np.ndarray, configs: Sequence[SamplingConfig]) -> np.ndarray:
    """next_token_probs of rows (N, V), with a config for each row or one for all of them.

    For vectors as short as these, a NumPy call takes a quarter of the time of a PyTorch call.
    """
    rows = np.arange(len(logits))[:, None]
    order = np.argsort(-logits, axis=1, kind="stable")
    ranked = logits[rows, order].astype(np.float64)
    temperature = np.array([[config.temperature] for config in configs])  # (N, 1) or (1, 1)
    # At the floor, exp of any nonzero difference is 0, and the division does not overflow.
    weights = np.exp((ranked - ranked[:, :1]) / np.maximum(temperature, 1e-60))
    weights *= temperature > 0
    weights[:, 0] = 1.0
    for name, keeps_all, keep in _FILTERS:
        value = np.array([[getattr(config, name)] for config in configs])
        filtered = (value != keeps_all)[:, 0]
        if filtered.all():
            keep(weights, value)
        elif filtered.any():
            some = weights[filtered]
            keep(some, value[filtered])
            weights[filtered] = some
    weights /= weights.sum(axis=1, keepdims=True)
    probs = np.empty_like(weights)
    probs[rows, order] = weights
    return probs


class Uniforms:
    """The uniform random numbers of a seed, float64 from 0 to 1.

    They are made BLOCK at a time, and are the same as if they were made one by one. A call of
    PyTorch lets other threads run, and with many texts each call would wait for them.
    """

    BLOCK = 64

    def __init__(self, seed: int):
        self._generator = torch.Generator().manual_seed(seed)
        self._made: list[float] = []  # the next one is last

    def draw(self) -> float:
        """The next number."""
        if not self._made:
            made = torch.rand(self.BLOCK, dtype=torch.float64, generator=self._generator)
            self._made = made.tolist()[::-1]
        return self._made.pop()


def sample(
    logits: np.ndarray, configs: Sequence[SamplingConfig], uniforms: Sequence[Uniforms]
) -> list[int]:
    """Draw the next token of N texts from their logits (N, V), each with its own settings.

    Each draw takes one number of its `uniforms` and inverts the cumulative sum of the
    probabilities, so equal probabilities and seeds give equal draws on any machine, alone or with
    others.
    """
    probs = _probs(logits, configs)
    cumulative = probs.cumsum(axis=1)
    targets = np.array([[each.draw()] for each in uniforms]) * cumulative[:, -1:]
    indices = (cumulative <= targets).sum(axis=1)
    return np.minimum(indices, probs.shape[1] - 1).tolist()

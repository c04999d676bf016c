"""How a generation in another library is measured, and checked against our model."""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from microgpt.model import GPT

THREADS = (1, 2)
INT8, FLOAT32 = "int8", "float32"
# Takes the ids of a prompt and measures once. Returns the best time so far, seconds per character.
Contender = Callable[[list[int]], float]
# Takes a function that writes a number of characters after a prompt; makes a contender of it.
PerStep = Callable[[Callable[[list[int], int], object]], Contender]


class Best:
    """Keeps the shortest time measured for each key."""

    def __init__(self) -> None:
        self._times: dict[object, float] = {}

    def of(self, what: object, seconds: float) -> float:
        """Add a time for a key and return the shortest one of that key."""
        self._times[what] = min(seconds, self._times.get(what, seconds))
        return self._times[what]


def per_step(write: Callable[[list[int], int], object], steps: int, before: int) -> Contender:
    """Measure seconds per step as the difference of two generations, without and with the steps."""
    best = Best()

    def contender(ids: list[int]) -> float:
        times = []
        for count in (before, before + steps):
            started = time.perf_counter()
            write(ids, count)
            times.append(best.of((len(ids), count), time.perf_counter() - started))
        return (times[1] - times[0]) / steps

    return contender


def title(name: str, kind: str, threads: int) -> str:
    return f"{name}, {kind}, {threads} thread" + "s" * (threads > 1)


def check(name: str, logits: Tensor, model: GPT, ids: list[int]) -> None:
    """Stop the benchmark if a library's logits (T, V) are not those of our model."""
    difference = (logits - model(torch.tensor([ids]))[0]).abs().max().item()
    if difference > 1e-3:
        raise SystemExit(f"the logits of {name} differ by {difference}")


def some_ids(model: GPT) -> list[int]:
    """Random tokens that fill the window."""
    generator = torch.Generator().manual_seed(1)
    shape = (model.config.block_size,)
    return torch.randint(model.config.vocab_size, shape, generator=generator).tolist()

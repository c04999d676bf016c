"""Tasks: texts that the program makes itself, so that a model learns one thing.

A new task is an entry in MAKERS and its name in config.TASKS. A GPT learns a text of lines. An
encoder–decoder learns a text of pairs, each a line as pairs.py describes.
"""

import io
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from microgpt import dates
from microgpt.config import TrainConfig

# A text of random characters must be too long for a model to memorise it.
LENGTH = 4_000_000
_LEAST, _MOST = 8, 26  # letters in half a line of `repeats`


@dataclass(frozen=True)
class Task:
    """A text made from random numbers.

    title: its name in a checkpoint and on the pages. about: what a line holds, a phrase. lines:
    endless, from a generator of random numbers. is_held_out: whether a line is for validation, if
    the lines are pairs; None if the text is for a GPT, whose last part is for validation.
    """

    title: str
    about: str
    lines: Callable[[random.Random], Iterator[str]]
    is_held_out: Callable[[str], bool] | None = None


def repeats(generator: random.Random) -> Iterator[str]:
    """Lines of random letters, a space, and the same letters again.

    Only the first half of a line predicts the second, so a model learns induction (Olsson et al.,
    2022). The number of letters varies, so the distance to the first half does too.
    """

    def below(most: int) -> int:
        # Of the generator's methods, only random() gives the same numbers in every Python version.
        return int(most * generator.random())

    while True:
        count = _LEAST + below(_MOST - _LEAST + 1)
        half = "".join(string.ascii_lowercase[below(26)] for _ in range(count))
        yield f"{half} {half}\n"


MAKERS = {
    "repeats": Task(
        "Repeated letters",
        f"{_LEAST} to {_MOST} random letters, a space, and the same letters again",
        repeats,
    ),
    "dates": Task(
        "Dates",
        "a date in words, a tab, and the same date as YYYY-MM-DD",
        dates.lines,
        dates.is_line_held_out,
    ),
}


def task_text(config: TrainConfig) -> str | None:
    """The text of config.task, about LENGTH characters; None for `text`.

    The same config.seed gives the same text.
    """
    if config.task not in MAKERS:
        return None
    lines = MAKERS[config.task].lines(random.Random(config.seed))
    text = io.StringIO()
    while text.tell() < LENGTH:
        text.write(next(lines))
    return text.getvalue()

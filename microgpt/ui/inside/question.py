"""The question of the Why this character tab: why this character, and not another one?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from microgpt.analysis.attribution import Contrast
from microgpt.checkpoint import Checkpoint
from microgpt.ui.allowed import OneOf
from microgpt.ui.charts import style
from microgpt.ui.controls import CONTROL_WIDTH, Control
from microgpt.ui.inside.controls import AGAINST, LIKELIEST, NEXT, TARGET, TOP
from microgpt.ui.text import markdown

# Further options of the character to compare with.
_MEAN, _NOTHING = "mean of all", "nothing"


@dataclass(frozen=True)
class Question:
    """Why the model gives this logit to a character.

    at: the position whose next character is predicted, from 0. labels: of all characters.
    """

    at: int
    contrast: Contrast
    labels: Sequence[str]

    @property
    def columns(self) -> dict[str, int | str]:
        """The question in a file, with the position from 1."""
        target, against = self.contrast.target, self.contrast.against
        return {
            "position": self.at + 1,
            "character": self.labels[target],
            "compared_with": self.labels[against] if isinstance(against, int) else against or "",
        }


def question_controls(
    checkpoint: Checkpoint, text: str, at: int, ranked: Sequence[int]
) -> Question:
    """Show the controls of the two characters; ranked: the ids, the likeliest next one first."""
    labels = style.visible(checkpoint.tokenizer.characters)
    follows = checkpoint.tokenizer.encode(text[at + 1 : at + 2])

    def choose(label: str, of: Control, first: list[str], options: list[str], about: str) -> str:
        options = [*first, *options]
        return st.selectbox(
            label,
            options,
            0,
            **of.args(OneOf(options, options[0])),
            width=CONTROL_WIDTH,
            help=about,
        )

    chosen = choose(
        "Why",
        TARGET,
        [NEXT if follows else TOP],
        labels,
        "The character whose logit is explained.",
    )
    if chosen in (NEXT, TOP):
        target = follows[0] if follows else ranked[0]
    else:
        target = labels.index(chosen)
    against = choose(
        "and not",
        AGAINST,
        [LIKELIEST, _MEAN, _NOTHING],
        [each for each in labels if each != labels[target]],
        "The character that it is compared with: the parts explain the difference of the logits. "
        f"With “{_NOTHING}” they explain the logit itself.",
    )
    compared: int | Literal["mean"] | None = None
    if against == _MEAN:
        compared = "mean"
    elif against == LIKELIEST:
        compared = next((each for each in ranked if each != target), None)
    elif against != _NOTHING:
        compared = labels.index(against)
    return Question(at, Contrast(target, compared), labels)


def answer(question: Question, value: float, probs: Sequence[float]) -> str:
    """The logit or the difference that is explained (value), and what it means, as Markdown."""

    def quoted(token: int) -> str:
        return f"“**{markdown(style.isolated(question.labels[token]))}**”"

    target, against = question.contrast.target, question.contrast.against
    share = f"{probs[target]:.3g} at temperature 1"
    if against is None:
        return f"The logit of {quoted(target)} is {value:.2f}. Its probability is {share}."
    if against == "mean":
        return (
            f"The logit of {quoted(target)} is {_above(value)} the mean of all characters. Its "
            f"probability is {share}."
        )
    ratio = f"{math.exp(min(700, abs(value))):,.3g}"
    more, less = (target, against) if value >= 0 else (against, target)
    return (
        f"The logit of {quoted(target)} is {_above(value)} that of {quoted(against)}. So "
        f"{quoted(more)} is {ratio} times as likely as {quoted(less)}: the probabilities are "
        f"{probs[more]:.3g} and {probs[less]:.3g}, at temperature 1."
    )


def _above(difference: float) -> str:
    return f"{abs(difference):.2f} {'above' if difference >= 0 else 'below'}"

"""The model to train: its size, and the few settings that teach something."""

from dataclasses import dataclass, replace
from typing import TypeVar

import streamlit as st

from microgpt.analysis.corpus import Corpus
from microgpt.config import GPTConfig, TrainConfig
from microgpt.training.sizes import SIZES, Size
from microgpt.ui.allowed import Numbers, OneOf
from microgpt.ui.controls import Control
from microgpt.ui.glossary import caption
from microgpt.ui.train.controls import (
    CONTEXT,
    DROPOUT,
    HEADS,
    LAYERS,
    RATE,
    SIZE,
    STEPS,
)

T = TypeVar("T")

_CONTEXTS = (1, 2, 4, 8, 16, 32, 64, 128)
_MOST_HEADS, _MOST_LAYERS = 8, 6
_MOST_STEPS = 10_000
# Of the preset's learning rate.
_FACTORS = {
    "a tenth": 0.1,
    "a third": 1 / 3,
    "as usual": 1.0,
    "three times": 3.0,
    "ten times": 10.0,
}
_USUAL = "as usual"


@dataclass(frozen=True)
class Recipe:
    """What to train. preset: its name for the checkpoint, `none` if a setting was changed."""

    model: GPTConfig
    train: TrainConfig
    preset: str


def size_control() -> str:
    """Show the choice of the size and return its name."""
    names = [name.capitalize() for name in SIZES]
    chosen = st.segmented_control(
        "Model",
        names,
        default=names[-1],
        required=True,
        **SIZE.args(OneOf(names, names[-1])),
    )
    return chosen.lower()


def recipe_controls(size: Size, corpus: Corpus) -> Recipe:
    """Show the settings in a popover and return what they make of the size."""
    number = list(SIZES.values()).index(size) + 1
    with st.popover("Settings", icon=":material/tune:"):
        columns = st.columns(2, gap="medium")
        with columns[0]:
            context = _choice(
                "Context length",
                CONTEXT.at(number),
                [each for each in _CONTEXTS if each <= corpus.longest] or [1],
                size.model.block_size,
                "How many characters the model can look back. With 1, it sees only the last one.",
            )
            layers = _number(
                "Layers",
                LAYERS.at(number),
                (1, _MOST_LAYERS),
                size.model.n_layer,
                "How often the model looks at the text and thinks about it, one layer after the "
                "other.",
            )
            heads = _choice(
                "Heads per layer",
                HEADS.at(number),
                [each for each in range(1, _MOST_HEADS + 1) if size.model.n_embd % each == 0],
                size.model.n_head,
                "How many places a layer can look at, at the same time.",
            )
        with columns[1]:
            steps = _number(
                "Steps",
                STEPS.at(number),
                (10, _MOST_STEPS),
                size.train.steps,
                "How often the weights are changed. More steps take longer, and after too many "
                "the model knows the text by heart.",
            )
            rate = _choice(
                "Learning rate",
                RATE.at(number),
                list(_FACTORS),
                _USUAL,
                "How far each step changes the weights. If it is too low, the model learns slowly; "
                "if it is too high, the model never settles, or breaks.",
            )
            dropout = _choice(
                "Dropout",
                DROPOUT.at(number),
                [0.0, 0.1, 0.2, 0.3, 0.5],
                size.model.dropout,
                "The share of the numbers that is switched off at random in training, so that "
                "the model does not learn a short text by heart.",
            )
    return _recipe(size, corpus, context, layers, heads, steps, _FACTORS[rate], dropout)


def _choice(label: str, of: Control, options: list[T], default: T, about: str) -> T:
    if default not in options:
        default = options[-1]
    of.follow_default(default)
    value = st.selectbox(label, options, options.index(default), **of.args(OneOf(options, default)))
    caption(about)
    return value


def _number(label: str, of: Control, limits: tuple[int, int], default: int, about: str) -> int:
    of.follow_default(default)
    value = st.number_input(label, *limits, default, **of.args(Numbers(*limits, default)))
    caption(about)
    return int(value)


def _recipe(
    size: Size,
    corpus: Corpus,
    context: int,
    layers: int,
    heads: int,
    steps: int,
    factor: float,
    dropout: float,
) -> Recipe:
    model = replace(
        size.model,
        vocab_size=corpus.vocab_size,
        block_size=context,
        n_layer=layers,
        n_head=heads,
        dropout=dropout,
    )
    train = replace(size.train, rare=corpus.rare)
    if steps != size.train.steps:
        train = replace(
            train,
            steps=steps,
            log_interval=max(1, steps // 200),
            eval_interval=max(1, steps // 40),
            warmup_steps=min(size.train.warmup_steps, steps // 10),
        )
    if factor != 1:
        train = replace(
            train,
            learning_rate=float(f"{factor * train.learning_rate:.2g}"),
            muon_learning_rate=float(f"{factor * train.muon_learning_rate:.2g}"),
        )
    same_model = replace(model, vocab_size=size.model.vocab_size) == size.model
    same = same_model and replace(train, rare=size.train.rare) == size.train
    return Recipe(model, train, size.preset if same else "none")

"""The next steps from the tabs of the Inside page, and the steps that lead to them."""

from collections.abc import Callable

from microgpt.analysis.attention import max_positions
from microgpt.analysis.predictions import Predictions
from microgpt.checkpoint import Checkpoint
from microgpt.generate import start_ids
from microgpt.ui.attention.controls import QUERY, TEXT
from microgpt.ui.attention.controls import TAB as ATTENTION_TAB
from microgpt.ui.attention.steps import ON_TEXT
from microgpt.ui.inside.controls import (
    AGAINST,
    LARGEST,
    LAYER_BY_LAYER,
    LIKELIEST,
    NEURON,
    NEURON_LAYER,
    NEURONS,
    NEXT,
    PART,
    TAB,
    TARGET,
    THROUGH,
    TOUR,
    WHY,
)
from microgpt.ui.next_steps import ATTENTION, INSIDE, Step


def why_this_one(
    checkpoint: Checkpoint, up_to: Callable[[int], str]
) -> Callable[[int], Step] | None:
    """A function that makes the step to the question why the model predicts a character.

    Its argument is passed to up_to, which returns a text that ends with that character. None if the
    window has no space for a character before it.
    """
    most = max_positions(checkpoint.config)

    def explain(at: int) -> Step:
        text = up_to(at)[-most:]

        def prepare() -> None:
            TEXT.choose(text)
            QUERY.set(len(text) - 1)
            for each, default in ((TARGET, NEXT), (AGAINST, LIKELIEST), (PART, LARGEST)):
                each.set(default)

        link = {TEXT.key: text, QUERY.key: str(len(text) - 1)}
        return Step("Why this one?", INSIDE, TAB, WHY, prepare, link=link)

    return explain if most > 1 else None


def why_this_written_one(
    checkpoint: Checkpoint, prompt: str, written: Predictions
) -> Callable[[int], Step] | None:
    """As why_this_one, for the characters of a text that was written after a prompt."""
    tokenizer = checkpoint.tokenizer

    def up_to(at: int) -> str:
        start = start_ids(tokenizer, prompt)
        return tokenizer.decode([*start, *written.tokens[: at + 1].tolist()])

    return why_this_one(checkpoint, up_to)


def take_the_tour() -> Step:
    """Open the tour."""
    return Step("Take the tour", INSIDE, TAB, TOUR)


def see_neuron(layer: int, neuron: int) -> Step:
    """Open a neuron, from 0, on the same text."""

    def prepare() -> None:
        NEURON_LAYER.set(layer + 1)
        NEURON.set(neuron + 1)

    link = {NEURON_LAYER.key: str(layer + 1), NEURON.key: str(neuron + 1)}
    label = f"See what neuron {neuron + 1} fires on"
    return Step(label, INSIDE, TAB, NEURONS, prepare, link=link)


def steps_from(here: str) -> list[Step]:
    """The steps from a tab with this name; the text and the position stay the same."""
    steps = [
        Step("See every number at this position", INSIDE, TAB, THROUGH),
        Step("See the prediction layer by layer", INSIDE, TAB, LAYER_BY_LAYER),
        Step("See which parts make it likely", INSIDE, TAB, WHY),
        Step("See what its neurons fire on", INSIDE, TAB, NEURONS),
        Step("See what the heads attend to", ATTENTION, ATTENTION_TAB, ON_TEXT),
        take_the_tour(),
    ]
    return [step for step in steps if (step.page, step.view) != (INSIDE, here)]

"""The stops of the tour: what each says, and the view that its action opens."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from microgpt.analysis.presets import presets
from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.runs import IDEAS
from microgpt.ui.attention.controls import PASSAGE, QUERY, TEXT
from microgpt.ui.attention.controls import TAB as ATTENTION_TAB
from microgpt.ui.attention.life_controls import passage
from microgpt.ui.attention.steps import ABLATION, LIFE
from microgpt.ui.attention.switchboard import Heads, link_of, switch_off
from microgpt.ui.cache.checkpoints import bundled_runs
from microgpt.ui.frame import Link
from microgpt.ui.generate.controls import PROMPT, WRITE
from microgpt.ui.generate.controls import TAB as GENERATE_TAB
from microgpt.ui.generate.generated_text import request_text
from microgpt.ui.head_choice import HEAD, LAYER, STEP, Choice, choose, default_head
from microgpt.ui.inside import tour_texts
from microgpt.ui.inside.controls import (
    LAYER_BY_LAYER,
    NEURON,
    NEURON_LAYER,
    NEURONS,
    TAB,
    THROUGH,
    WHY,
)
from microgpt.ui.inside.neuron_texts import clearest_found
from microgpt.ui.loss.compare import RUNS, titles_of
from microgpt.ui.loss.steps import COMPARE, CURVES, SNAPSHOTS
from microgpt.ui.loss.steps import TAB as LOSS_TAB
from microgpt.ui.next_steps import ATTENTION, GENERATE, INSIDE, LOSS_RECORD, Step
from microgpt.ui.text_input import default_text


@dataclass(frozen=True)
class Stop:
    """One stop of the tour.

    about: returns two sentences about a checkpoint, as Markdown. look: what to do in the view, a
    sentence. action: returns the step that opens the view on a text.
    """

    title: str
    about: Callable[[Checkpoint, str], str]
    look: str
    action: Callable[[Checkpoint, str], Step]


def tour_text(checkpoint: Checkpoint) -> str:
    """The text that the tour is about."""
    return default_text(checkpoint, PASSAGE)


def _inside(label: str, view: str) -> Callable[[Checkpoint, str], Step]:
    """Open a tab of the Inside page on the text, at its last character."""

    def action(checkpoint: Checkpoint, text: str) -> Step:
        def prepare() -> None:
            TEXT.choose(text)
            QUERY.choose(len(text))

        link = {TEXT.key: text, QUERY.key: str(len(text))}
        return Step(label, INSIDE, TAB, view, prepare, link=link)

    return action


def _write(checkpoint: Checkpoint, text: str) -> Step:
    prepare = partial(request_text, prompt=text)
    link = {PROMPT.key: text}
    return Step("Let it write on", GENERATE, GENERATE_TAB, WRITE, prepare, link=link)


def _preset_heads(checkpoint: Checkpoint, at: int) -> Heads:
    """The heads of a preset by its place in the list, or the head that is shown first."""
    found = presets(checkpoint.head_scores)[at].heads if checkpoint.head_scores else ()
    layer, head = default_head(checkpoint)
    return frozenset(found or [(layer - 1, head - 1)])


def _watch_head(checkpoint: Checkpoint, text: str) -> Step:
    layer, head = min(_preset_heads(checkpoint, 0))
    shown = passage(checkpoint) or text  # only the passage was watched during the training

    def prepare() -> None:
        TEXT.choose(shown)
        choose(Choice(layer, head))

    link = {TEXT.key: shown, LAYER.key: str(layer + 1), HEAD.key: str(head + 1)}
    return Step("Watch a head look back", ATTENTION, ATTENTION_TAB, LIFE, prepare, link=link)


def _switch_off(checkpoint: Checkpoint, text: str) -> Step:
    heads = _preset_heads(checkpoint, 1)

    def prepare() -> None:
        TEXT.choose(text)
        switch_off(checkpoint.config, heads)

    link: Link = {TEXT.key: text, **link_of(heads)}
    return Step("Switch this head off", ATTENTION, ATTENTION_TAB, ABLATION, prepare, link=link)


def _compare(checkpoint: Checkpoint, text: str) -> Step:
    names = titles_of(run.name for run in bundled_runs() if run.name in IDEAS)

    def prepare() -> None:
        RUNS.choose(names)

    link = {RUNS.key: names}
    return Step("Compare the four models", LOSS_RECORD, LOSS_TAB, COMPARE, prepare, link=link)


def _see_neuron(checkpoint: Checkpoint, text: str) -> Step:
    found = clearest_found(checkpoint)
    number = found.neuron + 1 if found else 1

    def prepare() -> None:
        TEXT.choose(text)
        NEURON_LAYER.choose(1)
        NEURON.choose(number)

    link = {TEXT.key: text, NEURON_LAYER.key: "1", NEURON.key: str(number)}
    return Step("See this neuron", INSIDE, TAB, NEURONS, prepare, link=link)


def _watch_training(checkpoint: Checkpoint, text: str) -> Step:
    if checkpoint.snapshots is None:
        return Step("See the curve of the loss", LOSS_RECORD, LOSS_TAB, CURVES)
    first = int(checkpoint.snapshots.steps[0])

    def prepare() -> None:
        STEP.choose(first)

    link = {STEP.key: str(first)}
    return Step("Go back to the first step", LOSS_RECORD, LOSS_TAB, SNAPSHOTS, prepare, link=link)


STOPS = [
    Stop(
        "One character at a time",
        tour_texts.about_writing,
        "Point at a character, or tap it, to see what else could have come.",
        _write,
    ),
    Stop(
        "Characters become numbers",
        tour_texts.about_numbers,
        "Choose a character and open a layer to see what it adds.",
        _inside("Follow a character", THROUGH),
    ),
    Stop(
        "Attention looks back",
        tour_texts.about_attention,
        "Point at a character, or tap it: the colours show what it looks at. Press ▶ to see how "
        "this formed.",
        _watch_head,
    ),
    Stop(
        "What a head is worth",
        tour_texts.about_ablation,
        "Compare the loss, and what the model writes, with and without the head.",
        _switch_off,
    ),
    Stop(
        "The MLP and its neurons",
        tour_texts.about_neurons,
        "The colours show where this neuron fires. Choose another one in the list.",
        _see_neuron,
    ),
    Stop(
        "Residual connections and LayerNorm",
        tour_texts.about_phases,
        "Lower is better: see how far each curve falls, and which settings differ.",
        _compare,
    ),
    Stop(
        "Where it makes up its mind",
        tour_texts.about_lens,
        "Read a column from the first layer to the last: where does the answer appear?",
        _inside("Read it after each layer", LAYER_BY_LAYER),
    ),
    Stop(
        "Why this character",
        tour_texts.about_why,
        "Find the part that adds most, and open it.",
        _inside("Take the choice apart", WHY),
    ),
    Stop(
        "It learned all this",
        tour_texts.about_training,
        "Move the slider, or press ▶, and read what the model writes at each step.",
        _watch_training,
    ),
    Stop(
        "Your own text",
        tour_texts.about_own_text,
        "This is your text. The tabs below show it in every other way.",
        _inside("Follow your text", THROUGH),
    ),
]

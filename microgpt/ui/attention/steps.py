"""The next steps from the tabs of the Attention page, and the steps that lead to them."""

from functools import partial

from microgpt.analysis.attention import max_positions
from microgpt.checkpoint import Checkpoint
from microgpt.ui.attention.controls import TAB, TEXT
from microgpt.ui.attention.life_controls import passage
from microgpt.ui.attention.switchboard import link_of, switch_off, switched_off
from microgpt.ui.generate.controls import PROMPT, WRITE
from microgpt.ui.generate.controls import TAB as GENERATE_TAB
from microgpt.ui.generate.generated_text import request_text
from microgpt.ui.head_choice import Choice, choose
from microgpt.ui.inside.controls import TAB as INSIDE_TAB
from microgpt.ui.inside.controls import THROUGH
from microgpt.ui.next_steps import ATTENTION, GENERATE, INSIDE, Step

# The names of the tabs.
LIFE, MAPS, SCORES, ABLATION = "The life of a head", "All heads", "Head scores", "Ablation"
ON_TEXT, STAGES, COMBINED, COMPARE = "On the text", "Stages", "Combined", "Compare"


def look_inside(checkpoint: Checkpoint, text: str) -> Step:
    """Open the end of a text, as long as the maps can show, in the first tab."""
    most = max_positions(checkpoint.config)
    which = f"the last {most} characters of the text" if len(text) > most else "the whole text"
    about = f"Look inside: see what the heads attend to in {which}"
    show = partial(TEXT.choose, text[-most:])
    return Step("Look inside", ATTENTION, TAB, LIFE, show, about, {TEXT.key: text[-most:]})


def see_map(text: str, choice: Choice) -> Step:
    """Open the map of a head of the finished model on a text."""

    def prepare() -> None:
        TEXT.choose(text)
        choose(choice)

    return Step(
        "See its map in the finished model", ATTENTION, TAB, MAPS, prepare, link={TEXT.key: text}
    )


def steps_from(here: str, checkpoint: Checkpoint, text: str, choice: Choice | None) -> list[Step]:
    """The steps from a tab with this name, a text and, if the tab has one, the choice of a head."""
    single = choice is not None and None not in (choice.layer, choice.head)

    def open_tab(label: str, tab: str) -> Step:
        return Step(label, ATTENTION, TAB, tab)

    steps = [
        open_tab("Compare it with all heads" if single else "See all heads", MAPS),
        open_tab("See its scores" if single else "See the scores", SCORES),
    ]
    if single:
        assert choice is not None
        steps.append(open_tab("See how its attention is computed", STAGES))
        heads = choice.heads(checkpoint.config)
        if switched_off(checkpoint.config).issuperset(heads):
            steps.append(open_tab("See the model without it", ABLATION))
        else:
            off = partial(switch_off, checkpoint.config, heads)
            steps.append(Step("Switch it off", ATTENTION, TAB, ABLATION, off, link=link_of(heads)))
        if (found := passage(checkpoint)) is not None:  # the text of the snapshots
            show_passage = partial(TEXT.choose, found)
            steps.append(
                Step("Watch it form", ATTENTION, TAB, LIFE, show_passage, link={TEXT.key: found})
            )
    steps.append(Step("See the whole model at one position", INSIDE, INSIDE_TAB, THROUGH))
    continue_it = partial(request_text, prompt=text)
    steps.append(
        Step(
            "Continue this text",
            GENERATE,
            GENERATE_TAB,
            WRITE,
            continue_it,
            link={PROMPT.key: text},
        )
    )
    return [step for step in steps if (step.page, step.view) != (ATTENTION, here)]

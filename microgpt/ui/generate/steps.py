"""The steps that lead to the tabs of the Generate page."""

from functools import partial

from microgpt.sampling import SAMPLING_SETTINGS, SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.generate.controls import SCORE, SCORED, TAB, WRITE, widget_values
from microgpt.ui.generate.generated_text import request_text
from microgpt.ui.next_steps import GENERATE, Step


def score_text(text: str) -> Step:
    """Open a text in the tab that scores it."""
    show = partial(SCORED.choose, text)
    return Step("Score this text", GENERATE, TAB, SCORE, show, link={SCORED.key: text})


def write_with(label: str, tokenizer: CharTokenizer, config: SamplingConfig) -> Step:
    """Write the prompt of the page with these sampling settings; its seed stays as it is."""
    settings = {name: getattr(config, name) for name in SAMPLING_SETTINGS}
    write = partial(request_text, **widget_values(tokenizer, settings))
    return Step(label, GENERATE, TAB, WRITE, write)

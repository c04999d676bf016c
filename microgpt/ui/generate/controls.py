"""Controls that the tabs of the Generate page share: the prompt and the sampling settings."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.engine import KEPT
from microgpt.generate import start_ids
from microgpt.sampling import SAMPLING_LIMITS, SAMPLING_SETTINGS, SamplingConfig, Setting
from microgpt.tokenizer import CharTokenizer
from microgpt.ui import cache
from microgpt.ui.allowed import Numbers, Switch
from microgpt.ui.charts.style import isolated, sign
from microgpt.ui.controls import CONTROL_WIDTH, Control, control
from microgpt.ui.text import markdown
from microgpt.ui.text_input import default_text, text_control

EXAMPLES = {
    "A sailor speaks": "FIRST SAILOR:\nThe lamp is out, and still the wind",
    "A queen decides": "QUEEN:\nMy lords, the winter is not done with us,\nAnd ",
    "A scene opens": "SHEPHERD:\nWho comes so late across the hill?\n\nSTRANGER:\n",
}
MAX_CHARACTERS = 10_000
# In pixels: all sampling settings fit in one row on a laptop.
SLIDER_WIDTH, _SEED_WIDTH = 128, 122


TAB = control("view")
PROMPT = control("prompt", url="short")
LENGTH, SEED, EXACT = control("length"), control("seed"), control("exact")
SAMPLING = {name: control(name) for name in SAMPLING_SETTINGS}
OTHER_SAMPLING = {name: control(f"other_{name}") for name in SAMPLING_SETTINGS}


def prompt_control(checkpoint: Checkpoint) -> str | None:
    """Show the text area of the prompt; return the prompt, None if the model cannot read it."""
    return text_control(
        checkpoint,
        "Prompt",
        default_text(checkpoint, EXAMPLES["A sailor speaks"]),
        PROMPT,
        when_empty=f"The prompt is empty, so the model starts from {_start(checkpoint.tokenizer)}.",
    )


def _start(tokenizer: CharTokenizer) -> str:
    start = tokenizer.decode(start_ids(tokenizer, ""))
    return "a new line" if start == "\n" else markdown(isolated(sign(start)))


def sampling_controls(checkpoint: Checkpoint) -> tuple[SamplingConfig, int]:
    """Show the controls of the sampling settings and the length, and return both."""
    window = checkpoint.config.block_size
    with st.container(horizontal=True, vertical_alignment="bottom"):
        settings = sampling_sliders(checkpoint.tokenizer)
        length = length_control(cache.within_memory(checkpoint, MAX_CHARACTERS))
        seed = seed_control()
        exact = st.toggle(
            "Exact (slow)",
            **EXACT.args(Switch()),
            help=f"For texts longer than {window} characters, the most that the model can see. "
            f"On: it reads the last {window} again before each further character. Off: it "
            f"continues from the last {max(1, int(KEPT * window))} each time the window is full.",
        )
    return SamplingConfig(**settings, seed=seed, exact=exact), length


def sampling_sliders(
    tokenizer: CharTokenizer,
    controls: Mapping[str, Control] = SAMPLING,
    defaults: Mapping[str, float] | None = None,
    width: int = SLIDER_WIDTH,
) -> dict[str, Any]:
    """Show a slider for each of SAMPLING_SETTINGS and return the values by setting.

    defaults: used instead of the defaults of SamplingConfig. width: of each slider, in pixels.
    """
    return {
        name: _slider(setting, controls[name], tokenizer, (defaults or {}).get(name), width)
        for name, setting in SAMPLING_SETTINGS.items()
    }


def _slider(
    setting: Setting, of: Control, tokenizer: CharTokenizer, default: float | None, width: int
) -> float:
    least, most = setting.limits
    if default is None:
        default = setting.default
    about = f"{setting.help[0].upper()}{setting.help[1:]}"
    if setting.counts_tokens:
        vocab_size = max(2, tokenizer.vocab_size)  # a slider needs two values
        least, most, default = 1, vocab_size, vocab_size
        about += f"; {vocab_size} means all of them"
        of.follow_default(vocab_size)
    return st.slider(
        setting.label,
        least,
        most,
        default,
        setting.step,
        **of.args(Numbers(least, most, default)),
        width=width,
        help=f"{about}.",
    )


def widget_values(tokenizer: CharTokenizer, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Convert settings to the values of the page's widgets.

    Where a setting counts tokens, 0 stands for all of them; its slider shows the vocabulary size.
    """
    return {
        name: tokenizer.vocab_size
        if not value and name in SAMPLING_SETTINGS and SAMPLING_SETTINGS[name].counts_tokens
        else value
        for name, value in settings.items()
    }


def length_control(most: int) -> int:
    """Show the control of the number of characters to write; return it, but at most `most`."""
    length = st.number_input(
        "Characters to write",
        1,
        MAX_CHARACTERS,
        400,
        100,
        **LENGTH.args(Numbers(1, MAX_CHARACTERS, 400)),
        width=CONTROL_WIDTH,
        help=f"This tab writes at most {most:,} characters.",
    )
    return min(most, length)


def seed_control() -> int:
    """Show the control of the random seed and return the seed."""
    seed = st.number_input(
        "Seed",
        0,
        SAMPLING_LIMITS["seed"][1],
        1,
        **SEED.args(Numbers(0, SAMPLING_LIMITS["seed"][1], 1)),
        width=_SEED_WIDTH,
        help="The same seed, prompt and settings give the same text.",
    )
    return int(seed)

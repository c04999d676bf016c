"""Controls that the tabs of the Generate page share: the prompt and the sampling settings."""

from collections.abc import Collection, Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from microgpt.checkpoint import Checkpoint
from microgpt.engine import KEPT
from microgpt.generate import start_ids
from microgpt.sampling import SAMPLING_LIMITS, SAMPLING_SETTINGS, SamplingConfig, Setting
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.allowed import Allowed, Numbers, Switch, same
from microgpt.ui.cache.writing import within_memory
from microgpt.ui.charts.style import isolated, sign
from microgpt.ui.controls import CONTROL_WIDTH, Control, control
from microgpt.ui.generate.generated_text import request_text
from microgpt.ui.glossary import caption
from microgpt.ui.text import markdown
from microgpt.ui.text_input import default_text, text_control

EXAMPLES = {
    "A sailor speaks": "FIRST SAILOR:\nThe lamp is out, and still the wind",
    "A queen decides": "QUEEN:\nMy lords, the winter is not done with us,\nAnd ",
    "A scene opens": "SHEPHERD:\nWho comes so late across the hill?\n\nSTRANGER:\n",
}
MAX_CHARACTERS = 10_000
# In pixels: two sliders and a button fit in one row on a phone.
SLIDER_WIDTH = 108


TAB = control("view")
WRITE, SCORE = "Write", "Score a text"  # the names of these tabs
PROMPT = control("prompt", url="short")
SCORED = control("scored", url="short")  # the text of the tab SCORE
LENGTH, SEED, EXACT = control("length"), control("seed"), control("exact")
SAMPLING = {name: control(name) for name in SAMPLING_SETTINGS}
IN_VIEW = ("temperature", "top_k")  # without a click
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


def sampling_row(name: str = "") -> DeltaGenerator:
    """A row for sliders and buttons, whose sliders are wider in a wide window (layout.css)."""
    key = f"sampling {name}"
    return st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key=key)


def sampling_sliders(
    tokenizer: CharTokenizer,
    controls: Mapping[str, Control] = SAMPLING,
    defaults: Mapping[str, float] | None = None,
    names: Collection[str] = SAMPLING_SETTINGS.keys(),
) -> dict[str, Any]:
    """Show a slider for each of these sampling settings and return the values by setting.

    defaults: used instead of the defaults of SamplingConfig.
    """
    return {
        name: _slider(
            SAMPLING_SETTINGS[name], controls[name], tokenizer, (defaults or {}).get(name)
        )
        for name in names
    }


def _slider(
    setting: Setting, of: Control, tokenizer: CharTokenizer, default: float | None
) -> float:
    allowed = _allowed(setting, tokenizer, default)
    about = f"{setting.help[0].upper()}{setting.help[1:]}"
    if setting.counts_tokens:
        about += f"; {allowed.most} means all of them"
        of.follow_default(allowed.most)
    return st.slider(
        setting.label,
        allowed.least,
        allowed.most,
        allowed.default,
        setting.step,
        **of.args(allowed),
        width=SLIDER_WIDTH,
        help=f"{about}.",
    )


def _allowed(setting: Setting, tokenizer: CharTokenizer, default: float | None = None) -> Numbers:
    if setting.counts_tokens:
        vocab_size = max(2, tokenizer.vocab_size)  # a slider needs two values
        return Numbers(1, vocab_size, vocab_size)
    return Numbers(*setting.limits, setting.default if default is None else default)


def more_settings(allowed: Mapping[Control, Allowed]) -> DeltaGenerator:
    """A popover for settings; its label says how many of these controls were changed."""
    changed = sum(
        not same(each.upcoming(values), values.default) for each, values in allowed.items()
    )
    label = f"More settings · {changed} changed" if changed else "More settings"
    return st.popover(label, icon=":material/tune:", key="more settings")


def other_settings(checkpoint: Checkpoint) -> tuple[dict[str, Any], int]:
    """Show the popover of the settings that are not IN_VIEW; return them, and the length."""
    window = checkpoint.config.block_size
    names = [name for name in SAMPLING_SETTINGS if name not in IN_VIEW]
    allowed = {
        SAMPLING[name]: _allowed(SAMPLING_SETTINGS[name], checkpoint.tokenizer) for name in names
    }
    with more_settings({**allowed, **length_and_seed(), EXACT: Switch()}):
        settings = sampling_sliders(checkpoint.tokenizer, names=names)
        length = length_control(within_memory(checkpoint, MAX_CHARACTERS))
        settings["seed"] = seed_control()
        settings["exact"] = st.toggle(
            "Exact (slow)",
            **EXACT.args(Switch()),
            help=f"The model can see at most {window} characters, so this setting changes only "
            f"longer texts. On: the model reads the last {window} characters again for each new "
            f"one. Off: each time it has read {window}, it continues from the last "
            f"{max(1, int(KEPT * window))}.",
        )
        _examples(checkpoint)
    return settings, length


def _examples(checkpoint: Checkpoint) -> None:
    known = checkpoint.training.on_tiny_shakespeare
    texts = {
        name: text
        for name, text in EXAMPLES.items()
        if known and not checkpoint.tokenizer.unknown(text)
    }
    if texts:
        caption("Examples of a prompt")
    for name, text in texts.items():
        st.button(
            name,
            on_click=request_text,
            kwargs={"prompt": text},
            help="Writes a text that continues this example.",
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


def length_and_seed() -> dict[Control, Numbers]:
    """The controls of the length and the seed, and the values that they allow."""
    return {
        LENGTH: Numbers(1, MAX_CHARACTERS, 400),
        SEED: Numbers(*SAMPLING_LIMITS["seed"], SamplingConfig.seed),
    }


def length_control(most: int) -> int:
    """Show the control of the number of characters to write; return it, but at most `most`."""
    allowed = length_and_seed()[LENGTH]
    length = st.number_input(
        "Characters to write",
        allowed.least,
        allowed.most,
        allowed.default,
        100,
        **LENGTH.args(allowed),
        width=CONTROL_WIDTH,
        help=f"This tab writes at most {most:,} characters.",
    )
    return int(min(most, length))


def seed_control() -> int:
    """Show the control of the random seed and return the seed."""
    allowed = length_and_seed()[SEED]
    seed = st.number_input(
        "Seed",
        allowed.least,
        allowed.most,
        allowed.default,
        **SEED.args(allowed),
        width=CONTROL_WIDTH,
        help="The same seed, prompt and settings give the same text.",
    )
    return int(seed)

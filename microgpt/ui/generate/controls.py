"""The controls that the Generate page's tabs share: the prompt, and how characters are drawn."""

from dataclasses import dataclass

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.generate import KEPT
from microgpt.sampling import SAMPLING_LIMITS, SamplingConfig
from microgpt.tokenizer import CharTokenizer
from microgpt.ui.controls import CONTROL_WIDTH, Control, control
from microgpt.ui.text_input import text_control

EXAMPLES = {
    "A sailor speaks": "FIRST SAILOR:\nThe lamp is out, and still the wind",
    "A queen decides": "QUEEN:\nMy lords, the winter is not done with us,\nAnd ",
    "A scene opens": "SHEPHERD:\nWho comes so late across the hill?\n\nSTRANGER:\n",
}
MOST_CHARACTERS = 10_000


@dataclass(frozen=True)
class DrawingControls:
    """One set of sampling sliders."""

    temperature: Control
    top_k: Control
    top_p: Control


TAB = control("view")
PROMPT = control("prompt", url="short")
LENGTH, SEED, EXACT = control("length"), control("seed"), control("exact")
DRAWING = DrawingControls(control("temperature"), control("top_k"), control("top_p"))
OTHER_DRAWING = DrawingControls(
    control("other_temperature"), control("other_top_k"), control("other_top_p")
)


def prompt_control(checkpoint: Checkpoint) -> str | None:
    """What to go on from; None where the model cannot read it."""
    return text_control(
        checkpoint,
        "Prompt",
        EXAMPLES["A sailor speaks"],
        PROMPT,
        when_empty="The prompt is empty, so the model starts from a new line.",
    )


def sampling_controls(checkpoint: Checkpoint) -> tuple[SamplingConfig, int]:
    """How the next characters are drawn, and how many of them; each setting is in the URL."""
    with st.container(horizontal=True):
        temperature, top_k, top_p = drawing_controls(checkpoint.tokenizer)
        length, seed = length_control(MOST_CHARACTERS), seed_control()
    window = checkpoint.config.block_size
    exact = st.toggle(f"Exact past {window} characters (slow)", **EXACT.bound)
    if exact:
        st.caption(
            f"The model sees {window} characters, and past them reads the last {window} anew for "
            f"every one. Otherwise, each time they are full, it goes on from the last "
            f"{max(1, int(KEPT * window))}."
        )
    return SamplingConfig(temperature, top_k, top_p, seed, exact), length


def drawing_controls(
    tokenizer: CharTokenizer,
    controls: DrawingControls = DRAWING,
    default: float = 0.8,
    width: int = CONTROL_WIDTH,
) -> tuple[float, int, float]:
    """Sliders for temperature, top-k and top-p.

    default is the temperature's; width is each slider's, in pixels.
    """
    every = max(2, tokenizer.vocab_size)  # a slider needs two values
    controls.top_k.follow_default(every)
    controls.top_k.keep_within(every)
    temperature = st.slider(
        "Temperature",
        0.0,
        2.0,
        default,
        0.05,
        **controls.temperature.bound,
        width=width,
        help="0 always takes the likeliest character, whatever the seed; above 1 the unlikely "
        "ones gain.",
    )
    top_k = st.slider(
        "Top-k",
        1,
        every,
        every,
        **controls.top_k.bound,
        width=width,
        help=f"Choose among the k likeliest characters; {every} is all of them.",
    )
    top_p = st.slider(
        "Top-p",
        0.0,
        1.0,
        1.0,
        0.01,
        **controls.top_p.bound,
        width=width,
        help="Choose among the fewest characters that together hold this probability; 1 is all of "
        "them.",
    )
    return temperature, top_k, top_p


def length_control(most: int) -> int:
    """How many characters to write, up to `most` in this view."""
    length = st.number_input(
        "Characters to write",
        1,
        MOST_CHARACTERS,
        400,
        100,
        **LENGTH.bound,
        width=CONTROL_WIDTH,
        help=f"At most {most:,} are written here.",
    )
    return min(most, length)


def seed_control() -> int:
    """Where the random draws start."""
    return st.number_input(
        "Seed",
        0,
        SAMPLING_LIMITS["seed"][1],
        1,
        **SEED.bound,
        width=CONTROL_WIDTH,
        help="The same seed, prompt and settings give the same text.",
    )

"""The translation of a date: both texts, the three kinds of attention, the heads, the training."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from microgpt.analysis.translation_maps import (
    KINDS,
    Kind,
    TranslationMaps,
    changed_characters,
    translation_npz,
)
from microgpt.checkpoint import PairCheckpoint
from microgpt.ui.cache.translation import snapshot_maps, translation_maps, translation_of
from microgpt.ui.components.copy_link.copy_link import copy_link
from microgpt.ui.components.translation.shown import Panel, Score, Shown, Step
from microgpt.ui.components.translation.translation import shown_steps, translation
from microgpt.ui.cross_attention.controls import (
    CHARACTER,
    DATE,
    MEAN,
    NO_CHARACTER,
    STEP,
    Heads,
    character_control,
    choose_head,
    head_controls,
    head_names,
    off_control,
    step_control,
    switch_off,
)
from microgpt.ui.cross_attention.date import date_control, examples, verdict
from microgpt.ui.cross_attention.scores import (
    curves,
    effect_sentence,
    head_scores,
    scores_table,
    self_attention,
    without_each,
)
from microgpt.ui.cross_attention.tables import translation_tables

_PANELS: dict[Kind, Panel] = {
    "encoder": Panel(
        "Encoder self-attention",
        "The input looks at the whole input.",
        "input",
        "input",
    ),
    "decoder": Panel(
        "Decoder self-attention",
        "The output looks at what is written so far.",
        "output",
        "written so far",
        "masked: not written yet",
    ),
    "cross": Panel(
        "Cross-attention",
        "The output looks at the whole input.",
        "output",
        "input",
    ),
}
_HINT = "Point at a character of the output to see from which characters of the input it comes."


def translation_view(checkpoint: PairCheckpoint) -> None:
    """Show a date and its translation."""
    text = date_control(checkpoint)
    if text is None:
        return
    place, config = st.container(), checkpoint.config
    names = head_names(config)
    with st.expander("As a table"):
        off = off_control(config)
        heads = head_controls(config, _default_heads(checkpoint))
        steps, found, note = _steps(checkpoint, text, off)
        before = translation_maps(checkpoint, text).output if off else None
        done = [
            _step(checkpoint, text, each, before, head_scores(checkpoint, step))
            for each, step in zip(found, steps, strict=True)
        ]
        at = step_control(steps)
        point = character_control(text, done[-1].written)
        translation_tables(
            text, done[at], heads, [*names, MEAN], partial(_npz, checkpoint, text, off)
        )
    with st.expander("What each head does"):
        scores_table(checkpoint)
    shown = Shown(
        text=text,
        names=names,
        layers=config.n_layer,
        panels=_PANELS,
        numbers=steps,
        done=done,
        step=at,
        heads=heads,
        point=point,
        off=off,
        without=without_each(checkpoint.cross_scores),
        effect=effect_sentence(checkpoint.cross_scores, off, len(done[-1].changed)),
        hint=_HINT,
        curves=curves(checkpoint, steps),
        note=note,
        back=_back(checkpoint, text, off),
        file_name="microgpt-translation-step-STEP",
    )
    with place:
        translation(
            "translation",
            shown,
            partial(_choose, checkpoint),
            switch_off,
            partial(_go_back, checkpoint),
        )
        copy_link("copy_link")


def _choose(checkpoint: PairCheckpoint, what: str, value: int | str) -> None:
    """Take over a choice that was made in the component. For a callback."""
    if what == "step":
        STEP.choose(value)
    elif what == "point":
        CHARACTER.choose(value or NO_CHARACTER)
    else:
        for kind in KINDS:
            if kind == what and isinstance(value, int):
                choose_head(kind, value, checkpoint.config)


def _default_heads(checkpoint: PairCheckpoint) -> dict[Kind, str]:
    """The heads that are shown first."""
    first = head_names(checkpoint.config)[0]
    return {"encoder": first, "decoder": first, "cross": MEAN}


def _steps(
    checkpoint: PairCheckpoint, text: str, off: Heads
) -> tuple[list[int], list[TranslationMaps], str]:
    """The steps of the training and what the model computes there, and why there is only one."""
    snapshots, final = checkpoint.snapshots, translation_maps(checkpoint, text, off)
    last = checkpoint.training.steps
    if snapshots is None:
        note = "This checkpoint has no snapshots of its training, so there is no slider."
        return [last], [final], note
    texts = snapshots.example_texts(checkpoint.tokenizer)
    if text not in texts:
        note = "The snapshots of the training hold only the examples, so there is no slider."
        return [last], [final], note
    if off:
        note = "The snapshots of the training have all heads on, so there is no slider now."
        return [last], [final], note
    maps = snapshot_maps(checkpoint, texts.index(text))
    indices = shown_steps([sum(of.nbytes for of in each.maps.values()) for each in maps])
    steps = [int(snapshots.steps[at]) for at in indices]
    found = [maps[at] for at in indices]
    if steps[-1] == last:
        found[-1] = final
    return steps, found, ""


def _step(
    checkpoint: PairCheckpoint,
    text: str,
    found: TranslationMaps,
    before: str | None,
    scores: Sequence[Score | None],
) -> Step:
    return Step(
        output=found.output,
        target=found.target,
        probs=found.probs.tolist(),
        before=before,
        changed=[] if before is None else changed_characters(found.output, before),
        verdict=verdict(checkpoint, text, found.output),
        maps=found.maps,
        scores=scores,
        does=self_attention(found, head_names(checkpoint.config)),
    )


def _back(checkpoint: PairCheckpoint, text: str, off: Heads) -> str:
    """The label of the button that brings the slider back; empty without one."""
    if checkpoint.snapshots is None:
        return ""
    if text not in examples(checkpoint):
        return "Back to the example"
    return "All heads on" if off else ""


def _go_back(checkpoint: PairCheckpoint) -> None:
    """Show an example with all heads on. For a callback."""
    switch_off(())
    if DATE.value not in examples(checkpoint):
        DATE.choose(examples(checkpoint)[0])


def _npz(checkpoint: PairCheckpoint, text: str, off: Heads) -> bytes:
    assert checkpoint.weights_sha256 is not None  # it was loaded
    return translation_npz(translation_of(checkpoint, text, off), checkpoint.weights_sha256)

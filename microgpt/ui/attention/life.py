"""The life of a head: one head on one text, through the training, and without the head."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from html import escape

import numpy as np
import streamlit as st

from microgpt.analysis.attention import from_bytes, in_bytes
from microgpt.analysis.predictions import Predictions, first_difference, of_text
from microgpt.checkpoint import Checkpoint
from microgpt.sampling import SamplingConfig
from microgpt.ui.attention.controls import QUERY, TEXT
from microgpt.ui.attention.life_controls import (
    BACK,
    Chosen,
    controls,
    head_switch,
    passage,
    query_control,
    use_passage,
)
from microgpt.ui.attention.life_curves import (
    best_score,
    curve_steps,
    effect_curve,
    loss_curve,
    score_curves,
    scores_at,
)
from microgpt.ui.attention.life_sentences import about, elsewhere, names_of, no_slider, notes
from microgpt.ui.attention.life_tables import steps_table, text_table
from microgpt.ui.attention.steps import LIFE, steps_from
from microgpt.ui.attention.switchboard import badges, switches
from microgpt.ui.cache.attention import attention_maps, logits_without
from microgpt.ui.cache.writing import within_memory, written_text_without
from microgpt.ui.charts import style
from microgpt.ui.components.life.life import AblationByStep, Curve, Shown, life, shown_steps
from microgpt.ui.glossary import caption
from microgpt.ui.head_choice import HEAD, STEP, step_control
from microgpt.ui.next_steps import next_steps

# Short, so that the passage of the snapshots and the continuation fit into a window of 256.
_LENGTH = 100
_SAMPLING = SamplingConfig()


def life_view(checkpoint: Checkpoint) -> None:
    """Show one head on one text, at every step of the training, and without the head."""
    chosen = controls(checkpoint)
    place = st.container()
    with st.expander("Switch off other heads"):
        ablated = switches(checkpoint)
    with chosen.switch:
        is_off = head_switch(checkpoint, chosen.heads, ablated)
    with place:
        if chosen.preset is not None and not chosen.preset.heads:
            # The head that was chosen before stays.
            st.info(f"{chosen.preset.about} {elsewhere(chosen.preset)}".strip())
            chosen = replace(chosen, preset=None)
        if not chosen.text:
            st.info("The text cannot be shown. Open “Another text” to change it.")
            use_passage(checkpoint)
        else:
            _show(checkpoint, chosen, chosen.text, ablated if is_off else frozenset())


def _show(
    checkpoint: Checkpoint, chosen: Chosen, text: str, ablated: frozenset[tuple[int, int]]
) -> None:
    """Show the head on the text. ablated: the heads that are off, none if the switch is on."""
    layer, head = chosen.choice.layer, chosen.choice.head
    assert layer is not None and head is not None  # this tab shows no means
    snapshots = checkpoint.snapshots
    moving = snapshots is not None and not chosen.own
    steps, indices = curve_steps(checkpoint), [0]
    if snapshots is not None and not chosen.own:
        indices = shown_steps(len(steps), checkpoint.config.n_head, len(text))
        steps = [steps[index] for index in indices]
        maps = snapshots.maps[indices, layer]
    else:
        maps = in_bytes(attention_maps(checkpoint, text).weights[layer]).numpy()[None]
    curves = {"loss": loss_curve(checkpoint, steps)}
    curves["effect"] = effect_curve(checkpoint, steps, chosen.choice)
    scores = score_curves(checkpoint, steps, chosen.choice)
    ablation = _ablation(checkpoint, text, ablated, steps, indices if moving else None)
    measured = scores_at(checkpoint, steps)
    note, found = no_slider(checkpoint, chosen), passage(checkpoint)
    view = st.container()
    with st.expander("As a table"):
        step = step_control(steps) if moving else len(steps) - 1
        query = query_control(checkpoint, chosen, text, maps[-1, head])
        surprisal = ablation.surprisal[step] if ablation else None
        weights = from_bytes(maps[step if moving else 0, head, query, : query + 1])
        text_table(text, weights, surprisal)
        steps_table(steps, [*filter(None, curves.values()), *scores.values()])
    shown = Shown(
        text=text,
        layer=layer,
        head=head,
        title=chosen.choice.title,
        about=[about(checkpoint, chosen, *each) for each in zip(steps, measured, strict=True)],
        members=[of for at, of in chosen.heads if at == layer] if len(chosen.heads) > 1 else [],
        badges=[badges(each, checkpoint.config)[layer] for each in measured],
        steps=steps,
        step=step,
        query=query,
        moving=moving,
        note=note,
        back=BACK if note and found else "",
        curves=[*filter(None, curves.values())],
        scores=scores,
        score=_score(chosen, scores),
        ablation=ablation,
        file_name=f"{chosen.choice.file_name}-step-STEP",
    )
    with view:
        life("life", shown, maps, _choose, partial(TEXT.choose, found or text))
        if sentences := notes(checkpoint, chosen, text):
            caption(sentences)
        written = st.container()
        next_steps(*steps_from(LIFE, checkpoint, text, chosen.choice))
    if ablated:
        with written:  # last, because it takes the longest
            _continuations(checkpoint, text, ablated)


def _choose(what: str, value: int) -> None:
    """Take over a choice that was made in the component. For a callback."""
    if what == "step":
        STEP.choose(value)
    else:
        (HEAD if what == "head" else QUERY).choose(value + 1)


def _score(chosen: Chosen, scores: dict[str, Curve]) -> str | None:
    """The name of the score whose curve is shown first: that of the preset, or the highest."""
    name = chosen.preset.score if chosen.preset else ""
    return name if name in scores else best_score(scores)


def _ablation(
    checkpoint: Checkpoint,
    text: str,
    ablated: frozenset[tuple[int, int]],
    steps: Sequence[int],
    indices: Sequence[int] | None,
) -> AblationByStep | None:
    """The surprisal of the text with and without the ablated heads; None if there are none.

    indices: those of the snapshots at the steps; None if the text is not their passage.
    """
    if not ablated or len(text) < 2:
        return None
    found: list[tuple[np.ndarray, np.ndarray] | None] = [None] * len(steps)
    snapshots = checkpoint.snapshots
    them = "this head" if len(ablated) == 1 else "these heads"
    missing = (
        f"The predictions without {them} were not measured at this step. The colours show the "
        "attention."
    )
    single = snapshots.surprisal_without if snapshots and len(ablated) == 1 else None
    if snapshots is not None and indices is not None and single is not None:
        ((layer, head),) = ablated
        without = single[indices, layer, head]
        found = list(zip(snapshots.surprisal[indices], without, strict=True))
    elif indices is None or steps[-1] == checkpoint.training.steps:
        ids = checkpoint.tokenizer.encode(text)
        last = of_text(ids, logits_without(checkpoint, text, ablated)).surprisal
        if snapshots is not None and indices is not None:
            whole = snapshots.surprisal[-1]
        else:
            whole = of_text(ids, attention_maps(checkpoint, text).logits).surprisal
        found[-1] = whole, last
        missing = (
            f"The predictions without {them} were measured only at the end of the training. Here "
            "the colours show the attention."
        )
    return AblationByStep(names_of(ablated), found, missing)


def _continuations(checkpoint: Checkpoint, text: str, ablated: frozenset[tuple[int, int]]) -> None:
    """Show what the model writes next with and without the heads, with the same seed."""
    length = within_memory(checkpoint, _LENGTH)
    texts = [
        written_text_without(checkpoint, text, length, _SAMPLING, heads)
        for heads in (frozenset(), ablated)
    ]
    at = first_difference(*texts)
    titles = ("With all heads", f"Without {names_of(ablated)}")
    for column, title, each in zip(st.columns(2), titles, texts, strict=True):
        with column:
            st.markdown(f"**{title}, it writes next**")
            st.html(_written(checkpoint, each, at))
    where = "They are the same." if at is None else "The mark shows where they first differ."
    caption(
        f"The finished model wrote both texts, with seed {_SAMPLING.seed} and temperature "
        f"{_SAMPLING.temperature:g}. {where}"
    )


def _written(checkpoint: Checkpoint, written: Predictions, mark: int | None) -> str:
    """A generated text as HTML, with a mark at a position."""
    characters = checkpoint.tokenizer.decode(written.tokens)
    shown = [escape(style.in_text(char)) for char in characters]
    if mark is not None and mark < len(shown):
        sign = "⏎\n" if characters[mark] == "\n" else shown[mark]
        shown[mark] = f"<mark>{sign}</mark>"
    wrap = "white-space: pre-wrap; overflow-wrap: anywhere; font-size: 1.1rem; margin: 0"
    return f'<pre dir="auto" style="{wrap}">{"".join(shown)}</pre>'

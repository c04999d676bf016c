"""The Why this character tab: a logit as the sum of what each part of the model adds to it."""

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from microgpt.analysis import attribution
from microgpt.analysis.attribution import Part, parts_of
from microgpt.analysis.predictions import model_probs
from microgpt.analysis.residuals import ResidualStream
from microgpt.checkpoint import Checkpoint
from microgpt.ui.allowed import OneOf
from microgpt.ui.attention.controls import text_and_controls
from microgpt.ui.attention.steps import see_map
from microgpt.ui.cache.inside import position_of, residual_stream, total_effects
from microgpt.ui.charts import style
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.components.effect_bars.effect_bars import Bar, effect_bars
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.head_choice import Choice
from microgpt.ui.inside.controls import LARGEST, PART, WHY, position_control
from microgpt.ui.inside.question import Question, answer, question_controls
from microgpt.ui.inside.steps import see_neuron, steps_from
from microgpt.ui.next_steps import Step, next_steps

# The most rows of a list; a last one is the sum of the others.
_MAX_PARTS, _MAX_OPENED = 80, 20
# Up to this work, the total effects are computed without being asked for. It is eight times what
# the bundled checkpoint needs for 256 characters.
_MOST_WORK = 10**12


def attribution_view(checkpoint: Checkpoint) -> None:
    """Show what each part adds to the logit of a character, and open one part."""
    text, controls = text_and_controls(checkpoint)
    if not text:
        return
    if not checkpoint.config.residual:
        st.info(
            "This model has no residual connections, so its logits are not a sum over its parts. "
            "Only its last MLP adds to them."
        )
        return
    stream = residual_stream(checkpoint, text)
    with controls:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            at = position_control(text)
            question = question_controls(
                checkpoint, text, at, attribution.likeliest(stream.logits[at])
            )
        parts = parts_of(checkpoint.config)
        position = position_of(checkpoint, text, at)
        direct = attribution.direct_effects(checkpoint.model, position, question.contrast).tolist()
        logits = stream.logits[at]
        st.markdown(
            answer(question, question.contrast.of(logits).item(), model_probs(logits).tolist())
        )
    totals = total_effects(checkpoint, text, at, compute=False)
    total = None if totals is None else question.contrast.of(totals).tolist()
    opened = _opened(parts, direct)
    left, right = st.columns([6, 5], gap="medium")
    with left:
        _parts(parts, direct, total, opened)
        computing = st.empty()
    with right:
        frame, step = _open_part(checkpoint, text, stream, question, opened)
    columns = {"direct": direct, "total": total or math.nan}
    table = pd.DataFrame({"part": list(map(part_name, parts)), **columns}).assign(
        **question.columns
    )
    with st.container(horizontal=True):
        download("CSV", lambda: to_csv(table, "%.6g"), "microgpt-parts.csv")
        name = part_name(opened)
        opened_table = frame.assign(part=name, **question.columns)
        file_name = f"microgpt-{name.lower().replace(' ', '-')}.csv"
        download(f"CSV of {name}", lambda: to_csv(opened_table, "%.6g"), file_name)
    next_steps(step, *steps_from(WHY))
    if totals is None:
        # The direct effects are visible before the total ones are computed.
        work = attribution.total_effects_work(checkpoint.model, len(text))
        with computing:
            if work > _MOST_WORK and not st.button(
                "Compute the total effects",
                help="This model is large: ablating each of its parts takes a while.",
            ):
                return
            total_effects(checkpoint, text, at, compute=True)
        st.rerun()


def part_name(part: Part) -> str:
    """The name of a part, with the layer and the head from 1."""
    if part.layer is None:
        return part.kind
    return f"L{part.layer + 1} {part.kind if part.head is None else f'H{part.head + 1}'}"


def _opened(parts: Sequence[Part], direct: Sequence[float]) -> Part:
    """The part that is open: a head or an MLP; by default the one with the largest effect."""
    openable = {
        part_name(part): (part, abs(effect))
        for part, effect in zip(parts, direct, strict=True)
        if part.kind in ("head", "MLP")
    }
    options = [LARGEST, *openable]
    with st.container(key="hidden_part"):  # it keeps the part in the link
        chosen = st.selectbox("Part", options, 0, **PART.args(OneOf(options, LARGEST)))
    if chosen != LARGEST:
        return openable[chosen][0]
    return max(openable.values(), key=lambda each: each[1])[0]


def _parts(
    parts: Sequence[Part], direct: Sequence[float], total: Sequence[float] | None, opened: Part
) -> None:
    """Show the direct and the total effect of each part, the largest direct effect first."""
    names = list(map(part_name, parts))
    opens = {i: names[i] for i, part in enumerate(parts) if part.kind in ("head", "MLP")}
    shown, rest = attribution.largest(direct, _MAX_PARTS)
    seconds = dict(enumerate(total or []))
    bars = [Bar(names[i], direct[i], seconds.get(i), opens.get(i)) for i in shown]
    if rest is not None:
        bars.append(Bar(f"{len(parts) - len(shown)} other parts", rest))
    effect_bars(
        "parts",
        "Effects of the parts",
        bars,
        ("direct", "total"),
        part_name(opened),
        lambda name: PART.set(name) if name in opens.values() else None,
    )
    caption(
        f"Bars: the direct effects, what each part itself adds. They sum to {sum(direct):.2f}. "
        "Lines: the total effects, what is missing if the output of the part is set to zero at "
        "all positions (zero ablation) and everything after it is computed again. A total effect "
        "also counts what later layers make of the part. L1 H1 is the first head of layer 1. "
        "Choose a head or an MLP to open it."
    )


def _open_part(
    checkpoint: Checkpoint, text: str, stream: ResidualStream, question: Question, part: Part
) -> tuple[pd.DataFrame, Step]:
    """Show what a head brought from each position, or what each neuron of an MLP adds.

    Return the same as a table, and the step to the map of the head or to the largest neuron.
    """
    assert part.layer is not None  # a head or an MLP
    position = position_of(checkpoint, text, question.at)
    extra: dict[str, float] = {}
    if part.head is not None:
        st.subheader(f"Layer {part.layer + 1}, head {part.head + 1}", anchor=False)
        values = stream.values[part.layer, part.head, : question.at + 1]
        found = attribution.source_effects(
            checkpoint.model, position, values, part.layer, part.head, question.contrast
        ).tolist()
        names, names_in_file = (style.position_names(text, each) for each in (True, False))
        about = (
            "What the head brings from each character that it attends to: its attention times the "
            "effect of what it copies from there."
        )
        others = "other characters"
    else:
        st.subheader(f"Layer {part.layer + 1}, MLP", anchor=False)
        effects, extra["bias"] = attribution.neuron_effects(
            checkpoint.model, position, part.layer, question.contrast
        )
        found = effects.tolist()
        names = names_in_file = [f"neuron {i}" for i in range(1, len(found) + 1)]
        about = "What each neuron of the MLP adds: its activation times the effect of its output."
        others = "other neurons"
    shown, rest = attribution.largest(found, _MAX_OPENED)
    bars = [Bar(names[i], found[i]) for i in shown]
    if rest is not None:
        bars.append(Bar(f"{len(found) - len(shown):,} {others}", rest))
    bars += [Bar(name, value) for name, value in extra.items()]
    effect_bars("opened_part", "Effects inside the part", bars, ("direct",))
    caption(f"{about} They sum to {sum(found) + sum(extra.values()):+.2f}.")
    rows = [*names_in_file[: len(found)], *extra]
    frame = pd.DataFrame({"of": rows, "direct": [*found, *extra.values()]})
    if part.head is None:
        return frame, see_neuron(part.layer, shown[0])
    return frame, see_map(text, Choice(part.layer, part.head))

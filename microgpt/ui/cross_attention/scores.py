"""What each head of the cross-attention does, by measurement, in words and as a table."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from microgpt.analysis.cross_scores import CrossScores, FieldLabel
from microgpt.analysis.exact_match import COUNTED
from microgpt.analysis.translation_maps import Kind, TranslationMaps, attended_offset
from microgpt.checkpoint import PairCheckpoint
from microgpt.dates import FIELDS
from microgpt.ui.charts.tables import to_csv
from microgpt.ui.components.translation.shown import Curve, Score
from microgpt.ui.cross_attention.controls import Heads, head_name
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.text import counted

# What a head does that attends to the characters of a field while the same field is written.
_NAMES = {"year": "copies the year", "month": "finds the month", "day": "finds the day"}
# What a head of self-attention looks at, by the distance from its query back to its key.
_PLACES: dict[Kind, dict[int, str]] = {
    "encoder": {
        -2: "two characters after",
        -1: "the character after",
        0: "the character itself",
        1: "the character before",
        2: "two characters before",
    },
    # A row of the decoder writes the character after its query.
    "decoder": {
        0: "the character before",
        1: "two characters before",
        2: "three characters before",
    },
}


def index_of(scores: CrossScores | None, step: int) -> int | None:
    """The index of a step of the training in the scores; None if they were not measured there."""
    return scores.steps.index(step) if scores is not None and step in scores.steps else None


def head_scores(checkpoint: PairCheckpoint, step: int) -> list[Score | None]:
    """The score of each head at a step, layer by layer; None where it was not measured."""
    scores, config = checkpoint.cross_scores, checkpoint.config
    at = index_of(scores, step)
    if scores is None or at is None:
        return [None] * (config.n_layer * config.n_head)
    return [
        _score(scores.highest(layer, head, at), scores.label(layer, head, at) is not None)
        for layer in range(config.n_layer)
        for head in range(config.n_head)
    ]


def _score(label: FieldLabel, strong: bool) -> Score:
    name = _NAMES[label.field] if strong else label.field
    return Score(name, round(label.share, 4), round(label.uniform, 4), strong)


def self_attention(found: TranslationMaps, names: Sequence[str]) -> dict[Kind, list[str]]:
    """What each head of self-attention looks at most in this translation, in one sentence each.

    names: those of the heads. The sentence is empty for a head that looks at no place most.
    """
    return {
        kind: [
            _looks_at(name, weights, places, kind == "decoder")
            for name, weights in zip(names, found.maps[kind], strict=False)  # the last is the mean
        ]
        for kind, places in _PLACES.items()
    }


def _looks_at(name: str, weights: np.ndarray, places: Mapping[int, str], causal: bool) -> str:
    attended = attended_offset(weights, places, causal)
    return f"{name} looks at {places[attended[0]]}: {attended[1]:.2f}" if attended else ""


def curves(checkpoint: PairCheckpoint, steps: Sequence[int]) -> list[Curve]:
    """The share of exact dates and the loss at each step, if they were measured at any of them."""
    scores, losses = (
        checkpoint.cross_scores,
        {row.step: row.val_loss for row in checkpoint.loss_record},
    )
    exact = [
        None if scores is None or at is None else scores.exact[at, 0].item()
        for at in (index_of(scores, step) for step in steps)
    ]
    found = [
        _curve("Held-out dates right", exact, percent),
        _curve(
            "Validation loss", [losses.get(step) for step in steps], lambda loss: f"{loss:.3f} nats"
        ),
    ]
    return [each for each in found if each is not None]


def _curve(
    title: str, values: Sequence[float | None], text: Callable[[float], str]
) -> Curve | None:
    known = [each for each in values if each is not None]
    if not known:
        return None
    texts = ["not measured" if each is None else text(each) for each in values]
    return Curve(title, values, max(1.0, *known), texts)


def percent(share: float) -> str:
    """A share as a percentage; 100 % only if it is all."""
    text = f"{100 * share:.1f}"
    return "99.9 %" if text == "100.0" and share < 1 else f"{text} %"


def without_each(scores: CrossScores | None) -> list[str]:
    """For each head a sentence about the model without it; empty without scores."""
    if scores is None:
        return []
    whole = percent(float(scores.exact[-1, 0]))
    return [
        f"Without {head_name(layer, head)}, {percent(float(exact[0]))} of the held-out dates are "
        f"right instead of {whole}."
        for layer, row in enumerate(scores.exact_without[-1])
        for head, exact in enumerate(row)
    ]


def effect_sentence(scores: CrossScores | None, off: Heads, changed: int) -> str:
    """What changes without the heads that are off, or what the switches are for."""
    if not off:
        return f"Switch a head off{_most_needed(scores)} to see which characters change."
    names = [head_name(*each) for each in sorted(off)]
    them = " and ".join(names) if len(names) < 3 else f"these {len(names)} heads"
    verb = "change" if changed > 1 else "changes"
    count = "no character" if not changed else counted(changed, "character")
    sentence = f"Without {them}, {count} of the output {verb}."
    if scores is not None and len(off) == 1:
        ((layer, head),) = off
        share = scores.exact_without[-1, layer, head, 0]
        sentence += (
            f" Of {scores.phrases:,} held-out dates, {percent(float(share))} are right without it"
        )
        is_needed = share < scores.exact[-1, 0]
        sentence += ": try another date." if is_needed and not changed else "."
    return sentence


def _most_needed(scores: CrossScores | None) -> str:
    """The head without which the fewest dates are right, as an example in a sentence."""
    if scores is None:
        return ""
    exact = scores.exact_without[-1, ..., 0]
    return f", for example {head_name(*divmod(int(exact.argmin()), exact.shape[1]))},"


def scores_table(checkpoint: PairCheckpoint) -> None:
    """Show the scores of all heads of the cross-attention, with chance, and their effects."""
    scores = checkpoint.cross_scores
    if scores is None:
        caption("This checkpoint has no scores of its heads.")
        return
    frame = scores_frame(scores)
    share = st.column_config.NumberColumn(format="%.1f %%")
    shown = frame.set_index("head") * 100
    st.dataframe(shown, column_config=dict.fromkeys(shown.columns, share))
    caption(
        "Attention: the share of a head’s attention that goes from a field of the output to the "
        f"same field of the input. Right: how many of {scores.phrases:,} held-out dates are right "
        "without this head. The first row is for comparison: a head that attends equally to all "
        "characters, and the model with all heads on."
    )
    download("heads.csv", lambda: to_csv(frame, "%.6g"), "microgpt-cross-attention-heads.csv")


def scores_frame(scores: CrossScores) -> pd.DataFrame:
    """A row for chance and the whole model, and one for each head."""
    rows = [("chance, all heads on", *map(float, scores.uniform), *map(float, scores.exact[-1]))]
    for layer, row in enumerate(scores.shares[-1]):
        for head, shares in enumerate(row):
            exact = scores.exact_without[-1, layer, head]
            rows.append((head_name(layer, head), *map(float, shares), *map(float, exact)))
    columns = [
        *(f"attention to the {each}" for each in FIELDS),
        *(f"{each} right" for each in COUNTED),
    ]
    return pd.DataFrame(rows, columns=["head", *columns])

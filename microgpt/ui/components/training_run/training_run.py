"""The browser components of a training run: its losses and samples, and the scores of its heads.

They are two, because the losses change every second and the scores only at a snapshot.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from microgpt.analysis.baselines import NAMES
from microgpt.analysis.head_patterns import PATTERNS, short_name
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint.loss_record import LossRow
from microgpt.training.job_status import Sample
from microgpt.ui.charts import style
from microgpt.ui.components import component

T = TypeVar("T")

_USES = ["picture.js"]
_RUN = component("training_run", uses=_USES)
_HEADS = component("training_run", "head_curves", uses=_USES)
# The most points of a line: more than a chart has pixels to tell apart.
MAX_POINTS = 300
# Samples that can be looked at again; the first and the last are always among them.
MAX_SAMPLES = 40


def training_run(
    key: str,
    rows: Sequence[LossRow],
    steps: int,
    baselines: Mapping[str, float],
    samples: Sequence[Sample],
    file_name: str,
) -> None:
    """Show the loss record of a run beside baselines of its text, and what the model wrote.

    steps: the number of planned updates. baselines: losses by their names in NAMES; all losses are
    in nats per character. file_name: of a picture of the losses.
    """
    shown = _spread(samples, MAX_SAMPLES)
    _RUN(
        key=key,
        data={
            "steps": steps,
            "lines": {
                name: _line((row.step, getattr(row, name)) for row in rows)
                for name in ("batch_loss", "train_loss", "val_loss")
            },
            "baselines": [[name, round(baselines[name], 4)] for name in NAMES if name in baselines],
            "samples": [[each.step, each.text] for each in shown],
            "file": f"{file_name}.svg",
            "signs": style.signs_in_text({char for each in shown for char in each.text}),
        },
    )


def head_curves(key: str, steps: int, scores: Mapping[int, HeadScores], file_name: str) -> None:
    """Show a curve for each head: what it attends to, at each snapshot of the run.

    scores: at least one, by the step of the snapshot. file_name: of a picture of the curves.
    """
    taken = sorted(scores)
    last = scores[taken[-1]]
    names = [name for name, each in PATTERNS.items() if not each.variant and name in last.scores]
    layers, heads = last.entropy.shape
    _HEADS(
        key=key,
        data={
            "steps": steps,
            "taken": taken,
            "names": [short_name(name) for name in names],
            "about": [PATTERNS[name].about for name in names],
            "heads": [
                {
                    "title": f"Layer {layer + 1}, head {head + 1}",
                    "curves": [
                        [_score(scores[step], name, layer, head) for step in taken]
                        for name in names
                    ],
                    **_label(last, names, layer, head),
                }
                for layer in range(layers)
                for head in range(heads)
            ],
            "columns": heads,
            "file": f"{file_name}.svg",
        },
    )


def _score(scores: HeadScores, name: str, layer: int, head: int) -> float | None:
    if name not in scores.scores:
        return None
    return round(scores.scores[name][layer, head].item(), 3)


def _label(scores: HeadScores, names: Sequence[str], layer: int, head: int) -> dict[str, Any]:
    """The highest score of a head: its index in names, and whether it is high enough for a name."""
    best = scores.highest(layer, head)
    if best is None:
        return {"best": None, "strong": False}
    return {"best": names.index(best.name), "strong": best.is_strong}


def _line(points: Iterable[tuple[int, float | None]]) -> list[list[float]]:
    """The measured points of a line, [step, loss]."""
    measured = [[step, round(loss, 4)] for step, loss in points if loss is not None]
    return _spread(measured, MAX_POINTS)


def _spread(items: Sequence[T], most: int) -> list[T]:
    """At most this number of items, evenly spaced, with the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[math.floor(at * (len(items) - 1) / (most - 1))] for at in range(most)]

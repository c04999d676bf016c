"""The curves of the life of a head: the loss, the head scores and the ablation of one head."""

from collections.abc import Callable, Sequence

from microgpt.analysis.head_patterns import PATTERNS, short_name
from microgpt.analysis.head_scores import HeadScores
from microgpt.analysis.presets import REPEATED
from microgpt.checkpoint import Checkpoint
from microgpt.ui.components.life.life import Curve
from microgpt.ui.head_choice import Choice

_UNIT = "nats per character"  # of a loss


def curve_steps(checkpoint: Checkpoint) -> list[int]:
    """The steps of the curves: those of the snapshots, or of their scores, or the last step."""
    if checkpoint.snapshots is not None:
        return checkpoint.snapshots.steps.tolist()
    if checkpoint.snapshot_scores is not None:
        return checkpoint.snapshot_scores.steps
    return [checkpoint.training.steps]


def loss_curve(checkpoint: Checkpoint, steps: Sequence[int]) -> Curve | None:
    """The validation loss at these steps; None if the loss record has none of them."""
    losses = {row.step: row.val_loss for row in checkpoint.loss_record}
    return _curve("Validation loss", _UNIT, "loss", [losses.get(at) for at in steps])


def effect_curve(checkpoint: Checkpoint, steps: Sequence[int], choice: Choice) -> Curve | None:
    """The change of the validation loss without the head; None if it was not measured."""

    def change(scores: HeadScores) -> float | None:
        found = scores.ablation
        return None if found is None else float(found.loss_change[choice.layer, choice.head])

    values = _at_steps(checkpoint, steps, change)
    return _curve("Loss change without it", _UNIT, "effect", values)


def score_curves(checkpoint: Checkpoint, steps: Sequence[int], choice: Choice) -> dict[str, Curve]:
    """The scores of the head that were measured, by name."""
    layer, head = choice.layer, choice.head
    assert layer is not None and head is not None  # a mean has no score

    def score(name: str) -> Callable[[HeadScores], float | None]:
        return lambda of: of.values[name][layer][head] if name in of.values else None

    def uniform(name: str) -> Callable[[HeadScores], float | None]:
        return lambda of: of.uniform.get(name)

    def repeated(of: HeadScores) -> float | None:
        return None if of.repeated is None else float(of.repeated.scores[layer, head])

    found = {
        name: _curve(
            f"{short_name(name)} score",
            "of attention",
            "score",
            _at_steps(checkpoint, steps, score(name)),
            _at_steps(checkpoint, steps, uniform(name)),
            f"Attention to {pattern.about}. Dashes: a head that attends equally to all characters.",
        )
        for name, pattern in PATTERNS.items()
    }
    found[REPEATED] = _curve(
        "induction score on random text",
        "of attention",
        "score",
        _at_steps(checkpoint, steps, repeated),
        _at_steps(checkpoint, steps, lambda of: of.repeated.uniform if of.repeated else None),
        "Attention, in random text that is written twice, to the character after the same "
        "character in the first half.",
    )
    return {name: curve for name, curve in found.items() if curve is not None}


def best_score(curves: dict[str, Curve]) -> str | None:
    """The name of the score that is furthest above uniform attention at the last step.

    Scores that cannot label a head are left out.
    """
    last = {
        name: (curve.values[-1] or 0.0) - ((curve.chance or [0.0])[-1] or 0.0)
        for name, curve in curves.items()
        if name in PATTERNS and not PATTERNS[name].variant
    }
    return max(last, key=lambda name: last[name], default=None)


def scores_at(checkpoint: Checkpoint, steps: Sequence[int]) -> list[HeadScores | None]:
    """The head scores at each of these steps; None where they were not measured."""
    found = _snapshot_scores(checkpoint)
    if checkpoint.head_scores is not None:  # those of the finished model, which all tabs show
        found[checkpoint.training.steps] = checkpoint.head_scores
    return [found.get(at) for at in steps]


def _snapshot_scores(checkpoint: Checkpoint) -> dict[int, HeadScores]:
    measured = checkpoint.snapshot_scores
    return dict(zip(measured.steps, measured.scores, strict=True)) if measured else {}


def _at_steps(
    checkpoint: Checkpoint, steps: Sequence[int], value: Callable[[HeadScores], float | None]
) -> list[float | None]:
    found = _snapshot_scores(checkpoint)
    return [value(found[at]) if at in found else None for at in steps]


def _curve(
    title: str,
    unit: str,
    kind: str,
    values: list[float | None],
    chance: list[float | None] | None = None,
    about: str = "",
) -> Curve | None:
    if all(value is None for value in values):
        return None
    return Curve(title, unit, values, kind, chance, about)

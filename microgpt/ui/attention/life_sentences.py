"""The sentences of the life of a head: about the head, and about what is missing."""

from collections.abc import Collection

from microgpt.analysis.head_patterns import PATTERNS
from microgpt.analysis.head_scores import HeadScores
from microgpt.analysis.presets import Preset, presets
from microgpt.checkpoint import AnyCheckpoint, Checkpoint
from microgpt.ui.attention.life_controls import Chosen, passage
from microgpt.ui.attention.switchboard import switched_off
from microgpt.ui.cache.checkpoints import bundled_checkpoint, bundled_folders


def elsewhere(preset: Preset) -> str:
    """A sentence that names the bundled checkpoints with heads of a preset; empty if none has."""
    names = [
        f"“{name}”"
        for name in bundled_folders()
        for scores in [_scores_of(bundled_checkpoint(name))]
        for each in (presets(scores) if scores else [])
        if each.name == preset.name and each.heads
    ]
    return f"Choose {' or '.join(names)} in the sidebar to see one." if names else ""


def _scores_of(checkpoint: AnyCheckpoint) -> HeadScores | None:
    return checkpoint.head_scores if isinstance(checkpoint, Checkpoint) else None


def about(checkpoint: Checkpoint, chosen: Chosen, step: int, scores: HeadScores | None) -> str:
    """A sentence about the head at a step, or about the heads of the preset."""
    if chosen.preset is not None:
        said = chosen.preset.about
        finished = step == checkpoint.training.steps
        return said if finished else f"In the finished model, {said[0].lower()}{said[1:]}"
    if scores is None:
        return ""
    label = scores.label(*chosen.heads[0])
    if label is None:
        return "No kind of character gets much of this head’s attention."
    return f"{100 * label.score:.0f} % of its attention goes to {PATTERNS[label.name].about}."


def names_of(heads: Collection[tuple[int, int]]) -> str:
    """The heads, in words: their names, or how many if they are more than two."""
    names = [f"L{layer + 1} H{head + 1}" for layer, head in sorted(heads)]
    return " and ".join(names) if len(names) < 3 else f"these {len(names)} heads"


def notes(checkpoint: Checkpoint, chosen: Chosen, text: str) -> str:
    """What this checkpoint lacks, and what the text does not have; empty if nothing."""
    sentences = []
    if len(text) < 2:
        sentences.append("With one character, there is no prediction to compare.")
    if checkpoint.head_scores is None:
        sentences.append("This checkpoint has no head scores, so its heads have no labels.")
    elif checkpoint.snapshots is not None and checkpoint.snapshot_scores is None:
        sentences.append("Its head scores were measured only after the training.")
    off = switched_off(checkpoint.config)
    if off and not off.issuperset(chosen.heads):
        named = names_of(off)
        verb, them = ("is", "it") if len(off) == 1 else ("are", "them")
        sentences.append(
            f"{named[0].upper()}{named[1:]} {verb} switched off, but only the Ablation tab shows "
            f"the model without {them}."
        )
    return " ".join(sentences)


def no_slider(checkpoint: Checkpoint, chosen: Chosen) -> str:
    """Why the training has no slider, a sentence; empty if it has one."""
    if checkpoint.snapshots is None:
        return "This checkpoint has no snapshots of its training, so there is no slider."
    if passage(checkpoint) is None:
        return "The model cannot read the passage of its snapshots, so there is no slider."
    if chosen.own:
        return (
            "This is your text, in the finished model. There is no slider, because the snapshots "
            "of the training hold another text."
        )
    return ""

"""Steps of a training for the translation component."""

import numpy as np

from microgpt.ui.components.translation.shown import Step, Verdict

TEXT = "1 May"


def step(output="2024", length=5, target=None, **others):
    """A step of a model with one head, whose maps are all 0."""
    maps = {
        "encoder": np.zeros((2, len(TEXT), len(TEXT)), np.uint8),
        "decoder": np.zeros((2, length, length), np.uint8),
        "cross": np.zeros((2, length, len(TEXT)), np.uint8),
    }
    values = {"before": None, "changed": [], "scores": [None], "does": {}} | others
    read, verdict = output if target is None else target, Verdict("right", "Right.")
    return Step(output, read, [0.5] * length, verdict=verdict, maps=maps, **values)

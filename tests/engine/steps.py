"""The steps that the tests of the engine compare."""

import math
import shutil

import pytest

from microgpt.engine import Step, compiled
from microgpt.engine.compiled import CompiledStep
from microgpt.engine.numpy_step import NumpyStep
from microgpt.model import GPT


def make_step(model: GPT, path: str, threads: int = 1) -> Step:
    if path == "NumPy":
        return NumpyStep(model)
    if not shutil.which("cc"):
        pytest.skip("there is no C compiler")
    half = path == "C"
    library = compiled.load_library(half)
    team = compiled.shared_team(library, threads) if threads > 1 else None
    step = CompiledStep(model, library, half, team)
    step.alone_seconds = math.inf  # so that a team is never held up
    return step

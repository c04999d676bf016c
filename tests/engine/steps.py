"""The steps that the tests of the engine compare."""

import math
import shutil

import pytest

from microgpt.engine import DecodingStep, compiled
from microgpt.engine.compiled import CompiledStep
from microgpt.engine.numpy_step import NumpyStep
from microgpt.model import GPT


def make_step(model: GPT, backend: str, threads: int = 1) -> DecodingStep:
    if backend == "NumPy":
        return NumpyStep(model)
    if not shutil.which("cc"):
        pytest.skip("there is no C compiler")
    half = backend == "C"
    library = compiled.load_library(half)
    team = compiled.shared_team(library, threads) if threads > 1 else None
    step = CompiledStep(model, library, half, team)
    step.one_thread_seconds = math.inf  # so that the step always uses the team
    return step

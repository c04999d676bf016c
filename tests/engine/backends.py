"""The backends that the tests of the engine compare."""

import shutil

import pytest

from microgpt.engine import Backend, compiled
from microgpt.engine.compiled import CompiledBackend
from microgpt.engine.numpy_backend import NumpyBackend
from microgpt.model import GPT


def make_backend(model: GPT, name: str, threads: int = 1) -> Backend:
    if name == "NumPy":
        return NumpyBackend(model)
    if not shutil.which("cc"):
        pytest.skip("there is no C compiler")
    half = name == "C"
    library = compiled.load_library(half)
    team = compiled.shared_team(library, threads) if threads > 1 else None
    return CompiledBackend(model, library, half, team)

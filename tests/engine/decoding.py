"""Every backend, and the logits that a decoder computes."""

import shutil

import pytest
import torch

from microgpt.config import GPTConfig
from microgpt.engine import Backend, Decoder, compiled
from microgpt.engine.compiled import CompiledBackend
from microgpt.engine.numpy_backend import NumpyBackend
from microgpt.model import GPT

BACKENDS = ("NumPy", "C", "C, float32 weights")


def make_backend(model: GPT, name: str, threads: int = 1) -> Backend:
    """Make one of BACKENDS; threads: of a C backend.

    Skips the test if there is no C compiler.
    """
    if name == "NumPy":
        return NumpyBackend(model)
    if not shutil.which("cc"):
        pytest.skip("there is no C compiler")
    half = name == "C"
    library = compiled.load_library(half)
    team = compiled.shared_team(library, threads) if threads > 1 else None
    return CompiledBackend(model, library, half, team)


def text_ids(config: GPTConfig, count: int) -> list[int]:
    """The ids of a random text."""
    generator = torch.Generator().manual_seed(3)
    return torch.randint(config.vocab_size, (count,), generator=generator).tolist()


def all_logits(decoder: Decoder, ids: list[int]) -> torch.Tensor:
    """The logits (N, V) of a decoder that reads the first id and decodes the others."""
    return torch.stack([decoder.prefill(ids[:1]), *(decoder.step(token) for token in ids[1:])])

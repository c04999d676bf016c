import os
import shutil

import pytest
import torch

from microgpt.engine import compiled, seconds
from microgpt.engine.compiled import compiled_backend

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")


@needs_compiler
def test_with_a_compiler_there_is_a_compiled_backend(half_model):
    assert compiled_backend(half_model, lambda backend: seconds(backend, half_model.config))


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script")
def test_with_a_failing_compiler_there_is_no_compiled_step(half_model, monkeypatch, tmp_path):
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    compiled.load_library.cache_clear()
    backend = compiled_backend(half_model, lambda backend: seconds(backend, half_model.config))
    compiled.load_library.cache_clear()
    assert backend is None


@needs_compiler
def test_weights_that_float16_cannot_hold_stay_float32(model, half_model):
    for each, dtype in ((model, torch.float32), (half_model, torch.float16)):
        backend = compiled_backend(each, lambda backend: 1.0)
        assert backend.weights.dtype == dtype
        assert backend.weights.numel() > each.parameter_count(), "the vocabulary is padded"

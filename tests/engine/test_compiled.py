import math
import os
import shutil

import pytest
import torch

from microgpt.engine import compiled, seconds
from microgpt.engine.compiled import MIN_BACKOFF, compiled_step
from tests.engine.steps import make_step

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")


@needs_compiler
def test_with_a_compiler_there_is_a_compiled_step(half_model):
    assert compiled_step(half_model, lambda step: seconds(step, half_model.config))


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script")
def test_with_a_failing_compiler_there_is_no_compiled_step(half_model, monkeypatch, tmp_path):
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    compiled.load_library.cache_clear()
    step = compiled_step(half_model, lambda step: seconds(step, half_model.config))
    compiled.load_library.cache_clear()
    assert step is None


@needs_compiler
def test_the_backoff_after_a_slow_team_doubles(half_model):
    step = make_step(half_model, "C", threads=2)
    step.one_thread_seconds = 0.0  # so that any team is too slow
    steps = []
    for _ in range(2):
        seconds(step, half_model.config)  # the first is the team's
        steps.append(step.backoff + 7)
        step.backoff = 0
    assert steps == [MIN_BACKOFF, 2 * MIN_BACKOFF]
    step.one_thread_seconds = math.inf
    seconds(step, half_model.config)
    assert step.backoff == 0


@needs_compiler
def test_weights_that_float16_cannot_hold_stay_float32(model, half_model):
    for each, dtype in ((model, torch.float32), (half_model, torch.float16)):
        step = compiled_step(each, lambda step: 1.0)
        assert step.weights.dtype == dtype
        assert step.weights.numel() > each.parameter_count(), "the vocabulary is padded"

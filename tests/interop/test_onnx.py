"""Exports, run by ONNX Runtime itself."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tokenizers import Tokenizer

from microgpt import interop
from microgpt.checkpoint import Checkpoint, load
from microgpt.config import GPTConfig
from microgpt.engine import Decoder
from microgpt.generate import generate
from microgpt.interop.onnx import onnx_model
from microgpt.sampling import SamplingConfig

BUNDLED = Path(__file__).parents[2] / "assets" / "checkpoint"


class Runtime:
    """A graph in ONNX Runtime, with one thread, and its cache after the last call."""

    def __init__(self, graph: str | bytes, config: GPTConfig, batch_size: int = 1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])
        self.names = [output.name for output in self.session.get_outputs()]
        empty = np.zeros((batch_size, config.n_head, 0, config.head_size), np.float32)
        self.cache = {
            input.name: empty for input in self.session.get_inputs() if input.name != "input_ids"
        }

    def __call__(self, ids: Any) -> torch.Tensor:
        """The logits (B, T, V) of ids (B, T) after the positions in the cache."""
        results = self.session.run(None, {"input_ids": np.asarray(ids), **self.cache})
        outputs = dict(zip(self.names, results, strict=True))
        self.cache = {
            name: outputs[name.replace("past_key_values", "present")] for name in self.cache
        }
        return torch.from_numpy(outputs["logits"])


@pytest.fixture(scope="module")
def bundled() -> Checkpoint:
    return load(BUNDLED)


@pytest.fixture(scope="module")
def exported(bundled, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "bundled"
    interop.export(bundled, "onnx", folder)
    return folder


@pytest.fixture(scope="module")
def ids(bundled) -> torch.Tensor:
    """Random tokens that fill the window, (1, 256)."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, bundled.config.block_size)
    return torch.randint(bundled.config.vocab_size, shape, generator=generator)


def test_without_a_cache_an_export_has_the_logits_of_the_model(exported, bundled, ids):
    runtime = Runtime(str(exported / "model.onnx"), bundled.config)
    torch.testing.assert_close(runtime(ids), bundled.model(ids), rtol=0, atol=1e-4)


def test_with_a_cache_an_export_has_the_logits_of_the_model(exported, bundled, ids):
    runtime = Runtime(str(exported / "model.onnx"), bundled.config)
    pieces = [runtime(piece) for piece in ids.split(1, dim=1)]
    logits = torch.cat(pieces, dim=1)
    torch.testing.assert_close(logits, bundled.model(ids), rtol=0, atol=1e-4)


def test_an_export_writes_the_same_text(exported, bundled):
    prompt = bundled.tokenizer.encode("\n")
    length = bundled.config.block_size - len(prompt)
    greedy = SamplingConfig(temperature=0.0)
    ours = generate(Decoder(bundled.model), bundled.tokenizer, prompt, length, greedy)
    runtime = Runtime(str(exported / "model.onnx"), bundled.config)
    theirs, logits = [], runtime([prompt])
    for _ in range(length):
        theirs.append(int(logits[0, -1].argmax()))
        logits = runtime([theirs[-1:]])
    tokenizer = Tokenizer.from_file(str(exported / "tokenizer.json"))
    assert tokenizer.decode(theirs) == "".join(character.text for character in ours)


def test_every_variant_of_a_model_is_exported_for_any_batch_and_length(model_variant):
    graph = onnx_model(model_variant)
    onnx.checker.check_model(graph, full_check=True)
    config = model_variant.config
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(config.vocab_size, (3, config.block_size), generator=generator)
    runtime = Runtime(graph.SerializeToString(), config, batch_size=3)
    pieces = [runtime(piece) for piece in ids.split([5, 1, 7, config.block_size - 13], dim=1)]
    # Without LayerNorms the logits are large, so the tolerance is relative.
    expected = model_variant(ids)
    tolerance = 1e-5 * float(expected.abs().max())
    torch.testing.assert_close(torch.cat(pieces, dim=1), expected, rtol=0, atol=tolerance)


def test_a_position_after_the_window_is_an_error(model):
    runtime = Runtime(onnx_model(model).SerializeToString(), model.config)
    runtime(torch.zeros(1, model.config.block_size, dtype=torch.int64))
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        runtime([[0]])


def test_without_the_package_the_command_says_what_to_install(exportable_checkpoint, tmp_path):
    out = tmp_path / "out"
    command = ["export", "--checkpoint", str(exportable_checkpoint), "--to", "onnx"]
    command += ["--out", str(out)]
    missing = (
        f"import sys; sys.modules['onnx'] = None; from microgpt.cli import main; main({command})"
    )
    done = subprocess.run([sys.executable, "-c", missing], capture_output=True, text=True)
    assert "error: the export to ONNX needs the package onnx" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()

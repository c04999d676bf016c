"""Exports, opened as nanoGPT's sample.py opens them, by a model with its names."""

import dataclasses
import pickle
from pathlib import Path

import pytest
import torch

from microgpt import interop
from microgpt.checkpoint import Checkpoint
from microgpt.interop.assemble import Choices
from microgpt.interop.importing import import_model
from microgpt.model import GPT
from tests.interop.other_programs import NanoGPT
from tests.models import OTHER_SHAPES, random_model

SHAPES = {
    **{name: OTHER_SHAPES[name] for name in ("nanoGPT", "nanoGPT with biases")},
    "other scale and head bias": {"activation": "gelu", "tied": True, "score_scale": "n_embd"},
}


def opened(folder: Path) -> tuple[NanoGPT, dict]:
    """The model and the vocabulary, with the calls of sample.py."""
    saved = torch.load(folder / "ckpt.pt", map_location="cpu", weights_only=True)
    model = NanoGPT(**saved["model_args"])
    masks = [name for name in model.state_dict() if name.endswith(".attn.bias")]
    # nanoGPT has these masks only without fused attention, and then saves them too.
    model.load_state_dict(saved["model"] | {name: model.state_dict()[name] for name in masks})
    meta = pickle.loads((folder / "meta.pkl").read_bytes())
    assert saved["config"]["dataset"] == "microgpt"
    return model.eval(), meta


@pytest.mark.parametrize("name", SHAPES)
def test_an_export_has_the_logits_of_the_model(tmp_path, tiny_config, tokenizer, training, name):
    config = dataclasses.replace(tiny_config, n_embd=48, **SHAPES[name])
    ours = random_model(config, seed=6, std=0.2)
    interop.export(Checkpoint(ours, tokenizer, [], training), "nanogpt", tmp_path / "out")
    theirs, meta = opened(tmp_path / "out")
    ids = torch.arange(config.block_size)[None]
    with torch.inference_mode():
        torch.testing.assert_close(theirs(ids), ours(ids), atol=1e-4, rtol=0)
    assert "".join(meta["itos"][i] for i in range(meta["vocab_size"])) == tokenizer.characters
    assert [meta["stoi"][char] for char in tokenizer.characters] == list(meta["itos"])
    made = import_model("nanogpt", tmp_path / "out" / "ckpt.pt", Choices(tmp_path / "out/meta.pkl"))
    torch.testing.assert_close(made.model(ids), ours(ids), atol=1e-4, rtol=0)
    assert made.training.steps == training.steps


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "ReLU instead of GELU and a head that is not tied"),
        ({**OTHER_SHAPES["nanoGPT"], "mlp_ratio": 3}, "an MLP of 3 instead of 4"),
        ({**OTHER_SHAPES["nanoGPT"], "residual": False}, "no residual connections"),
        ({**OTHER_SHAPES["nanoGPT"], "norm": "blocks"}, "no LayerNorm"),
        ({"activation": "gelu", "tied": True, "n_embd": 6}, "at least the vocabulary size"),
    ],
    ids=str,
)
def test_what_nanogpt_cannot_hold_is_named(
    tmp_path, tiny_config, tokenizer, training, change, says
):
    made = Checkpoint(GPT(dataclasses.replace(tiny_config, **change)), tokenizer, [], training)
    with pytest.raises(interop.InteropError, match=says):
        interop.export(made, "nanogpt", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []

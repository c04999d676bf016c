"""Models that transformers itself saved, and exports of ours, imported again."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint, interop
from microgpt.checkpoint import Checkpoint
from microgpt.hub.repo import HubError
from microgpt.interop import InteropError
from microgpt.interop.assemble import Choices
from microgpt.interop.importing import import_model
from microgpt.interop.transformers import tokenizer_json
from tests.loopback_hub import running
from tests.models import OTHER_SHAPES, random_model

IDS = torch.arange(16)[None]


@pytest.fixture(scope="module")
def saved(tokenizer, tmp_path_factory) -> tuple[Path, torch.Tensor]:
    """A folder that save_pretrained wrote, and the logits of its model."""
    import transformers  # it takes seconds to load

    config = transformers.GPT2Config(
        vocab_size=tokenizer.vocab_size, n_positions=16, n_embd=48, n_layer=2, n_head=3
    )
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(config).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False).normal_(0, 0.2)
    folder = tmp_path_factory.mktemp("saved") / "gpt2"
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(tokenizer)))
    return folder, model(IDS).logits


def test_a_model_of_transformers_has_its_logits(saved, tokenizer):
    folder, logits = saved
    made = import_model("transformers", folder)
    torch.testing.assert_close(made.model(IDS), logits, atol=1e-4, rtol=0)
    assert made.config.tied and made.config.qkv_bias and made.config.activation == "gelu_tanh"
    assert made.tokenizer.characters == tokenizer.characters
    assert made.training.imported == "the transformers model gpt2"


def test_a_file_instead_of_the_folder_is_refused(saved):
    folder, _ = saved
    with pytest.raises(InteropError, match=r"model\.safetensors is a file; pass the folder"):
        import_model("transformers", folder / "model.safetensors")


@pytest.mark.parametrize("name", ["nanoGPT", "nanoGPT with biases", "minGPT"])
def test_an_export_is_imported_as_it_was(tmp_path, tiny_config, tokenizer, training, name):
    config = dataclasses.replace(tiny_config, **OTHER_SHAPES[name])
    ours = random_model(config, seed=3)
    interop.export(Checkpoint(ours, tokenizer, [], training), "transformers", tmp_path / "out")
    made = import_model("transformers", tmp_path / "out")
    assert made.config == config
    assert made.tokenizer.characters == tokenizer.characters
    for key, weight in ours.state_dict().items():
        assert torch.equal(made.model.state_dict()[key], weight)


def test_the_head_bias_of_an_export_stays_in_the_last_layernorm(exportable_checkpoint, tmp_path):
    ours = checkpoint.load(exportable_checkpoint)
    interop.export(ours, "transformers", tmp_path / "out")
    made = import_model("transformers", tmp_path / "out")
    assert ours.config.head_bias and not made.config.head_bias
    ids = torch.arange(ours.config.block_size)[None] % ours.config.vocab_size
    torch.testing.assert_close(made.model(ids), ours.model(ids), atol=1e-4, rtol=0)


def test_a_repo_on_the_hub_is_imported(saved, monkeypatch):
    folder, logits = saved
    with running(monkeypatch) as server:
        server.add("user/gpt2", folder)
        made = import_model("transformers", "user/gpt2@main")
        torch.testing.assert_close(made.model(IDS), logits, atol=1e-4, rtol=0)
        with pytest.raises(HubError, match="no public repo"):
            import_model("transformers", "user/other")
        server.sizes["model.safetensors"] = 10**12
        with pytest.raises(HubError, match="the limit is 1,024,000,000"):
            import_model("transformers", "user/gpt2")


def edited(saved, tmp_path: Path, name: str, **values) -> Path:
    folder = tmp_path / "edited"
    shutil.copytree(saved[0], folder)
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | values))
    return folder


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"model_type": "llama"}, r"RoPE.*RMSNorm.*SwiGLU"),
        ({"model_type": "bert"}, "type 'bert'"),
        ({"add_cross_attention": True}, "cross-attention"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scaled by the layer"),
        ({"layer_norm_epsilon": 1e-6}, "epsilon"),
        ({"activation_function": "silu"}, "'silu'"),
        ({"n_head": 5}, "multiple of n_head"),
        ({"model_type": ["gpt2"]}, r"type \['gpt2'\]"),
        ({"activation_function": {}}, r"function \{\}"),
    ],
    ids=str,
)
def test_another_model_is_refused(saved, tmp_path, values, says):
    from microgpt.errors import MicroGPTError

    with pytest.raises(MicroGPTError, match=says):
        import_model("transformers", edited(saved, tmp_path, "config.json", **values))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"model": {"vocab": {"a": 0, "b": 1}, "merges": ["a b"]}}, "BPE"),
        ({"pre_tokenizer": {"type": "ByteLevel"}}, "ByteLevel"),
        ({"model": {"vocab": {"a": 0, "<pad>": 1}}}, "'<pad>'"),
        ({"model": {"vocab": {"a": 0, "b": 2}}}, "from 0"),
        ({"model": {}}, "no vocabulary"),
        ({"model": {"vocab": {"a": 0, "b": 1}}}, "vocabulary has 2"),
    ],
    ids=str,
)
def test_another_tokenizer_is_refused(saved, tmp_path, values, says):
    with pytest.raises(InteropError, match=says):
        import_model("transformers", edited(saved, tmp_path, "tokenizer.json", **values))


def test_a_folder_without_a_file_is_refused(saved, tmp_path):
    folder = edited(saved, tmp_path, "config.json")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InteropError, match="--data TEXT"):
        import_model("transformers", folder, Choices())
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(InteropError, match="truncated"):
        import_model("transformers", folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InteropError, match="save_pretrained"):
        import_model("transformers", folder)
    (folder / "config.json").unlink()
    with pytest.raises(InteropError, match=r"config\.json is missing"):
        import_model("transformers", folder)

"""Exports, opened by transformers itself."""

import dataclasses
from pathlib import Path
from types import ModuleType

import pytest
import torch

from microgpt import interop
from microgpt.checkpoint import Checkpoint, load
from microgpt.config import GPTConfig
from microgpt.engine import Decoder
from microgpt.generate import generate
from microgpt.interop.transformers import folded_bias
from microgpt.model import GPT
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer
from tests.models import OTHER_SHAPES, random_model

GREEDY = SamplingConfig(temperature=0.0)


@pytest.fixture(scope="module")
def transformers() -> ModuleType:
    """The library, imported here because it takes seconds, which other tests need not spend."""
    import transformers

    return transformers


@pytest.fixture(scope="module")
def exported(exportable_checkpoint, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "exportable_checkpoint"
    interop.export(load(exportable_checkpoint), "transformers", folder)
    return folder


def test_an_export_has_the_logits_of_the_model(transformers, exported, exportable_checkpoint):
    ours = load(exportable_checkpoint).model
    theirs = transformers.AutoModelForCausalLM.from_pretrained(exported)
    ids = torch.randint(ours.config.vocab_size, (3, ours.config.block_size))
    with torch.inference_mode():
        torch.testing.assert_close(theirs(ids).logits, ours(ids), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", OTHER_SHAPES)
def test_every_shape_of_gpt2_is_exported(
    transformers, tmp_path, tiny_config, tokenizer, training, name
):
    config = dataclasses.replace(tiny_config, n_embd=48, **OTHER_SHAPES[name])
    ours = random_model(config, seed=6, std=0.2)
    interop.export(Checkpoint(ours, tokenizer, [], training), "transformers", tmp_path / "out")
    theirs, report = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "out", output_loading_info=True
    )
    assert not report["missing_keys"] and not report["unexpected_keys"]
    ids = torch.arange(config.block_size)[None]
    with torch.inference_mode():
        torch.testing.assert_close(theirs(ids).logits, ours(ids), rtol=0, atol=1e-4)


def test_an_export_generates_the_same_text(transformers, exported, exportable_checkpoint):
    ours = load(exportable_checkpoint)
    ids = ours.tokenizer.encode("ba do")
    length = ours.config.block_size - len(ids)
    written = generate(Decoder(ours.model), ours.tokenizer, ids, length, GREEDY)
    text = "ba do" + "".join(character.text for character in written)

    tokenizer = transformers.AutoTokenizer.from_pretrained(exported)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(exported)
    inputs = tokenizer("ba do", return_tensors="pt")
    output = theirs.generate(**inputs, max_new_tokens=length, do_sample=False)
    assert tokenizer.decode(output[0]) == text

    writer = transformers.pipeline("text-generation", model=str(exported))
    assert writer("ba do", max_new_tokens=length, do_sample=False)[0]["generated_text"] == text


@pytest.mark.parametrize(
    "characters",
    [
        "\n !\"'abc",
        "\0\t\r\n \\/{}",
        "añéüß",
        "नमस्ते",
        "שלום مرحبا",
        "中文字\u3000",
        "👩‍👧e\u0301\ufeff",
    ],
)
def test_every_character_is_encoded_and_decoded_alike(transformers, tmp_path, characters, training):
    characters = "".join(sorted(set(characters)))
    config = GPTConfig(vocab_size=len(characters), block_size=8, n_layer=1, n_head=1, n_embd=24)
    tokenizer = CharTokenizer(characters)
    made = Checkpoint(GPT(config), tokenizer, [], training)
    interop.export(made, "transformers", tmp_path / "out")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    text = characters + characters[::-1] + 3 * characters
    assert theirs(text).input_ids == tokenizer.encode(text)
    assert theirs.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"residual": False}, "without residual connections or"),
        ({"norm": "blocks"}, "without residual connections or"),
        ({"n_embd": 6}, "at least the vocabulary size"),
    ],
)
def test_a_model_that_gpt2_cannot_express_is_refused(
    tmp_path, tiny_config, tokenizer, training, change, says
):
    made = Checkpoint(GPT(dataclasses.replace(tiny_config, **change)), tokenizer, [], training)
    with pytest.raises(interop.InteropError, match=says):
        interop.export(made, "transformers", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_bias_that_folds_to_infinite_numbers_is_refused():
    weight = 1e-39 * torch.eye(2)
    with pytest.raises(interop.InteropError, match="cannot be folded"):
        folded_bias(weight, torch.ones(2))
    assert torch.equal(folded_bias(weight, torch.zeros(2)), torch.zeros(2))


def test_all_exported_files_have_the_same_permissions(exported):
    assert {path.stat().st_mode for path in exported.iterdir()} == {
        (exported / "config.json").stat().st_mode
    }

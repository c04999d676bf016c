"""What is exported, opened by transformers itself."""

import dataclasses
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from microgpt import interop
from microgpt.checkpoint import Checkpoint, load, save
from microgpt.checkpoint.loss_record import LossRow
from microgpt.cli import main
from microgpt.config import GPTConfig
from microgpt.engine import Decoder
from microgpt.generate import generate
from microgpt.model import GPT
from microgpt.sampling import SamplingConfig
from microgpt.tokenizer import CharTokenizer

GREEDY = SamplingConfig(temperature=0.0)


@pytest.fixture(scope="module")
def transformers() -> ModuleType:
    """The library, imported here because it takes seconds, which other tests need not spend."""
    import transformers

    return transformers


@pytest.fixture(scope="module")
def wide(tiny_config, tokenizer, training, tmp_path_factory) -> Path:
    """A checkpoint with more channels than characters, as folding the head's bias needs."""
    torch.manual_seed(0)
    model = GPT(dataclasses.replace(tiny_config, n_embd=36))
    folder = tmp_path_factory.mktemp("checkpoint") / "wide"
    save(folder, Checkpoint(model, tokenizer, [LossRow(0, 0, 0.0)], training))
    return folder


@pytest.fixture(scope="module")
def exported(wide, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "wide"
    interop.export(load(wide), "transformers", folder)
    return folder


def test_the_logits_are_ours(transformers, exported, wide):
    ours = load(wide).model
    theirs = transformers.AutoModelForCausalLM.from_pretrained(exported)
    ids = torch.randint(ours.config.vocab_size, (3, ours.config.block_size))
    with torch.inference_mode():
        torch.testing.assert_close(theirs(ids).logits, ours(ids), rtol=0, atol=1e-4)


def test_greedy_generation_is_ours(transformers, exported, wide):
    ours = load(wide)
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
def test_the_tokenizer_takes_every_character_there_and_back(
    transformers, tmp_path, characters, training
):
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
def test_what_gpt2_cannot_express_is_one_sentence_and_writes_nothing(
    tmp_path, tiny_config, tokenizer, training, change, says
):
    made = Checkpoint(GPT(dataclasses.replace(tiny_config, **change)), tokenizer, [], training)
    with pytest.raises(interop.InteropError, match=says):
        interop.export(made, "transformers", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_command_exports_once_and_never_overwrites(wide, tmp_path, capsys):
    args = ["export", "--checkpoint", str(wide), "--to", "transformers"]
    assert main([*args, "--out", str(tmp_path / "out")]) == 0
    names = {line.split("/")[-1] for line in capsys.readouterr().out.splitlines()}
    assert names == {path.name for path in (tmp_path / "out").iterdir()}
    assert main([*args, "--out", str(tmp_path / "out")]) == 2
    assert "already exists" in capsys.readouterr().err


def test_others_can_read_an_export(exported):
    assert {path.stat().st_mode for path in exported.iterdir()} == {
        (exported / "config.json").stat().st_mode
    }


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on a file's size")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(wide, tmp_path, capsys):
    import resource  # not on Windows

    out = tmp_path / "out"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        command = ["export", "--checkpoint", str(wide), "--to", "transformers", "--out", str(out)]
        assert main(command) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capsys.readouterr().err == f"error: cannot write {out}: File too large\n"
    assert list(tmp_path.iterdir()) == []

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from microgpt import checkpoint
from microgpt.checkpoint import HASHED, WEIGHTS, CheckpointError, load, sha256
from microgpt.tokenizer import CharTokenizer
from tests.checkpoint.editing import UNREADABLE, edit_config, needs_unreadable_file, update_hashes
from tests.folders import names


def test_a_saved_checkpoint_is_loaded(tiny_checkpoint, model, tokenizer, loss_record, training):
    loaded = load(tiny_checkpoint)
    assert loaded.config == model.config
    assert loaded.tokenizer.characters == tokenizer.characters
    assert loaded.loss_record == loss_record
    assert loaded.training == training
    assert loaded.weights_sha256 == sha256(tiny_checkpoint / WEIGHTS)
    assert loaded.notes == ()
    assert names(tiny_checkpoint) == set(checkpoint.FILES)


def test_weights_are_stored_in_float16_and_loaded_in_float32(tiny_checkpoint, model):
    stored = load_file(tiny_checkpoint / WEIGHTS)
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    for name, tensor in load(tiny_checkpoint).model.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, model.state_dict()[name].half().float())


def test_a_loaded_model_is_in_eval_mode_without_gradients(tiny_checkpoint):
    loaded = load(tiny_checkpoint).model
    assert not any(module.training for module in loaded.modules())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_the_config_lists_the_hashes_of_the_files(tiny_checkpoint):
    hashes = {name: sha256(tiny_checkpoint / name) for name in HASHED}
    assert json.loads((tiny_checkpoint / "config.json").read_text())["sha256"] == hashes
    assert checkpoint.read_config(tiny_checkpoint)[2] == hashes
    assert checkpoint.files_in(tiny_checkpoint, hashes) == list(checkpoint.FILES)


@pytest.mark.parametrize("name", HASHED)
def test_a_file_with_a_flipped_bit_is_refused(checkpoint_copy, name):
    path = checkpoint_copy / name
    data = bytearray(path.read_bytes())
    data[-2] ^= 1  # the last byte may be the end of a line
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=f"^{name} is damaged: its SHA-256 is not the one"):
        load(checkpoint_copy)


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json"])
@needs_unreadable_file
def test_a_file_that_cannot_be_read_is_not_called_damaged(checkpoint_copy, name):
    (checkpoint_copy / name).unlink()
    (checkpoint_copy / name).symlink_to(UNREADABLE)
    with pytest.raises(CheckpointError, match=f"^{name} cannot be read: Input/output error$"):
        load(checkpoint_copy)


@pytest.mark.parametrize("name", checkpoint.FILES)
def test_a_missing_file_is_named(checkpoint_copy, name):
    (checkpoint_copy / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        load(checkpoint_copy)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint folder at .*missing"):
        load(tmp_path / "missing")


def test_a_pickle_in_place_of_the_weights_is_named_and_refused(checkpoint_copy):
    (checkpoint_copy / WEIGHTS).rename(checkpoint_copy / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin, a pickle, which can run code"):
        load(checkpoint_copy)


def test_a_file_that_is_too_large_is_not_read(checkpoint_copy):
    with open(checkpoint_copy / WEIGHTS, "r+b") as file:
        file.truncate(512 * 10**6 + 1)  # sparse: needs no space on the disk
    with pytest.raises(CheckpointError, match="512,000,001 bytes; at most 512,000,000"):
        load(checkpoint_copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values["model"].update(n_layer=49), "n_layer is 49; .* between 1 and 48"),
        (lambda values: values["model"].update(n_layer=10**400), "n_layer is .* between"),
        (lambda values: values["model"].pop("n_head"), "'n_head' is missing"),
        (lambda values: values.pop("model"), "must be a JSON object"),
        (lambda values: values["model"].update(n_layer=3), "does not fit config.json"),
        (lambda values: values["model"].update(n_embd=48), "does not fit config.json"),
        (lambda values: values.pop("sha256"), "must hold the SHA-256 of model.safetensors, tok"),
        (lambda values: values.update(sha256="0" * 64), "must hold the SHA-256 of"),
        (lambda values: values["sha256"].pop("loss_record.csv"), "must hold the SHA-256 of"),
        (lambda values: values["sha256"].update({WEIGHTS: "0" * 64}), "is damaged"),
        (lambda values: values["sha256"].update({"tokenizer.json": 3}), "tokenizer.json is dam"),
        (lambda values: values["sha256"].update(more="0" * 64), "unknown file 'more'"),
        (lambda values: values.update(architecture="llama"), 'does not say "microGPT"'),
        (lambda values: values.pop("training"), "provenance must be a JSON object"),
        (lambda values: values["training"].update(more=1), "unknown field 'more'"),
        (lambda values: values["training"].pop("seconds"), "seconds of .* is missing"),
        (lambda values: values.update(more=1), "unknown field 'more' in config.json"),
        (lambda values: values.update(format="2"), "the format of config.json is '2'"),
        (lambda values: values.update(format=True), "the format of config.json is True"),
        (lambda values: values.update(format=0), "the format of config.json is 0"),
        (lambda values: values.update(kind=[]), r"config.json has the kind \[\]"),
        (lambda values: values.update(kind={}), r"config.json has the kind \{\}"),
        (lambda values: values.update(optional="seed"), '"optional" of config.json'),
        (lambda values: values.update(optional=[[]]), '"optional" of config.json'),
        (lambda values: values["training"]["config"].update(steps=0), "steps is 0"),
        (lambda values: values["training"].update(seconds=float("nan")), "seconds of the"),
        (lambda values: values["training"].update(seconds=None), "seconds of the"),
        (lambda values: values["training"].update(val_loss_full=float("inf")), "val_loss_full of"),
        (lambda values: values["training"].update(val_loss_full="1.5"), "val_loss_full of"),
        (lambda values: values["training"].update(tokens=10**400), "tokens of the"),
        (lambda values: values["training"].update(steps=1.5), "steps of the"),
        (lambda values: values["training"].update(steps=True), "steps of the"),
        (lambda values: values["training"].update(steps=-1), "steps of the"),
        (lambda values: values["training"].update(hardware=3), "hardware of the"),
        (lambda values: values["training"].update(hardware="x" * 2001), "hardware of the"),
        (lambda values: values["training"].update(hardware="\ud800"), "hardware of the"),
    ],
    ids=range(36),
)
def test_a_malformed_config_is_refused(checkpoint_copy, change, message):
    edit_config(checkpoint_copy, change)
    with pytest.raises(CheckpointError, match=message):
        load(checkpoint_copy)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "3", "[" * 100_000], ids=range(5))
def test_a_config_that_is_not_a_json_object_is_refused(checkpoint_copy, text):
    (checkpoint_copy / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"^config.json (cannot be read|must hold)"):
        load(checkpoint_copy)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "loss_record.csv"])
def test_a_text_file_that_is_not_utf8_is_refused(checkpoint_copy, name):
    (checkpoint_copy / name).write_bytes(b"\xff\xfe")
    if name in HASHED:
        update_hashes(checkpoint_copy)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(checkpoint_copy)


def test_a_vocabulary_of_another_size_is_refused(checkpoint_copy, tokenizer):
    (checkpoint_copy / "tokenizer.json").write_text(CharTokenizer("abc").to_json())
    update_hashes(checkpoint_copy)
    with pytest.raises(CheckpointError, match=f"has 3 characters .* for {tokenizer.vocab_size}"):
        load(checkpoint_copy)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("loss_record.csv", "step,loss\n", "loss record must begin"),
        ("tokenizer.json", "{}", "a tokenizer must be"),
    ],
)
def test_a_malformed_tokenizer_or_loss_record_is_refused(checkpoint_copy, name, content, message):
    (checkpoint_copy / name).write_text(content)
    update_hashes(checkpoint_copy)
    with pytest.raises(CheckpointError, match=message):
        load(checkpoint_copy)


@pytest.mark.parametrize("missing", ["\t", "\n"])
def test_an_encoder_decoder_that_cannot_begin_or_end_a_target_is_refused(
    pair_checkpoint, tmp_path, missing
):
    folder = shutil.copytree(pair_checkpoint, tmp_path / "pairs")
    characters = checkpoint.load_pairs(folder).tokenizer.characters.replace(missing, "")
    other = CharTokenizer(f"{characters}\U0001f600")  # of the same size
    (folder / "tokenizer.json").write_text(other.to_json())
    update_hashes(folder)
    with pytest.raises(CheckpointError, match="lacks the tab or the newline"):
        checkpoint.load_any(folder)

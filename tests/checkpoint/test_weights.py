import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from microgpt.checkpoint import WEIGHTS, Checkpoint, CheckpointError, load, save
from microgpt.checkpoint.weights import all_finite, half_precision
from microgpt.config import GPTConfig
from tests.checkpoint.editing import update_hashes
from tests.models import OTHER_SHAPES, random_model


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Change the weights of a checkpoint in place, and their hash."""
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)
    update_hashes(folder)


def write_weights(folder: Path, header: bytes, data: bytes = b"") -> None:
    """Write a safetensors file with this header, and its hash."""
    (folder / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header + data)
    update_hashes(folder)


def header_and_data(folder: Path) -> tuple[bytes, bytes]:
    """The two parts of a safetensors file."""
    content = (folder / WEIGHTS).read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    return content[8:end], content[end:]


def test_half_precision_rounds_every_weight_to_float16(model):
    weights = half_precision(model)
    assert weights.keys() == model.state_dict().keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, model.state_dict()[name].half())


@pytest.mark.parametrize("name", OTHER_SHAPES)
def test_a_checkpoint_of_another_shape_is_saved_and_loaded(
    tmp_path, tiny_config, tokenizer, training, name
):
    model = random_model(dataclasses.replace(tiny_config, **OTHER_SHAPES[name]), seed=5)
    save(tmp_path / "out", Checkpoint(model, tokenizer, [], training))
    loaded = load(tmp_path / "out").model
    assert loaded.config == model.config
    assert loaded.parameter_count() == model.parameter_count()
    for key, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor.half().float())
    tensors = load_file(tmp_path / "out" / WEIGHTS)
    assert sum(each.numel() for each in tensors.values()) == model.parameter_count()
    assert ("head.weight" in tensors) == (not model.config.tied), "tied weights are stored once"


def test_a_default_shape_is_written_so_that_an_earlier_version_opens_it(tiny_checkpoint):
    values = json.loads((tiny_checkpoint / "config.json").read_text())
    added = set(values["model"]) - set(GPTConfig._format_1)
    assert added and added <= set(values["optional"])


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_weight_that_is_not_finite_is_found(value):
    finite = torch.zeros(2, 3)
    assert all_finite([finite, finite])
    other = finite.clone()
    other[1, 2] = value
    assert not all_finite([finite, other])


def test_float32_weights_are_loaded_without_rounding(checkpoint_copy, model):
    edit_weights(checkpoint_copy, lambda weights: weights.update(model.state_dict()))
    for name, tensor in load(checkpoint_copy).model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name])


def test_loaded_weights_do_not_depend_on_their_file(checkpoint_copy, model):
    edit_weights(checkpoint_copy, lambda weights: weights.update(model.state_dict()))
    loaded = load(checkpoint_copy)
    with open(checkpoint_copy / WEIGHTS, "r+b") as file:
        file.write(b"\0" * (checkpoint_copy / WEIGHTS).stat().st_size)
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name])


@pytest.mark.parametrize("change", [lambda data: data[:-2], lambda data: data + b"\0\0"])
def test_a_file_of_another_length_is_refused(checkpoint_copy, change):
    path = checkpoint_copy / WEIGHTS
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match="not a safetensors file, or is truncated"):
        load(checkpoint_copy)


def transpose(weights: dict[str, torch.Tensor]) -> None:
    weights["blocks.0.mlp.up.weight"] = weights["blocks.0.mlp.up.weight"].T.contiguous()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (transpose, r"blocks.0.mlp.up.weight must be numbers of shape \[96, 24\]"),
        (lambda weights: weights.pop("head.bias"), "'head.bias' is in only one of them"),
        (lambda weights: weights.update(more=torch.zeros(1)), "'more' is in only one of them"),
        (lambda weights: weights.update({"x" * 5000: torch.zeros(1)}), "is in only one of them"),
        (lambda weights: weights["head.bias"].fill_(torch.nan), "contains NaN"),
    ],
    ids=["transposed", "missing", "unknown", "unknown, long name", "NaN"],
)
def test_weights_that_do_not_fit_the_config_are_refused(checkpoint_copy, change, message):
    edit_weights(checkpoint_copy, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(checkpoint_copy)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("dtype", "name"), [(torch.float64, "F64"), (torch.int8, "I8")], ids=str)
def test_weights_of_another_dtype_are_refused(checkpoint_copy, dtype, name):
    def change(weights: dict[str, torch.Tensor]) -> None:
        weights["head.bias"] = weights["head.bias"].to(dtype)

    edit_weights(checkpoint_copy, change)
    with pytest.raises(CheckpointError) as caught:
        load(checkpoint_copy)
    assert str(caught.value) == (
        f"head.bias in {WEIGHTS} has the dtype '{name}'; save it as F16, BF16 or F32"
    )


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"[]",
        b"not JSON",
        b"[" * 100_000,
        b'{"head.bias": 3}',
        b'{"head.bias": {"dtype": [], "shape": [], "data_offsets": [0, 0]}}',
        b'{"head.bias": {"dtype": "F16", "shape": 3, "data_offsets": [0, 0]}}',
    ],
    ids=lambda header: header[:24].decode(),
)
def test_a_malformed_header_is_refused(checkpoint_copy, header):
    write_weights(checkpoint_copy, header)
    with pytest.raises(CheckpointError, match=WEIGHTS):
        load(checkpoint_copy)


@pytest.mark.parametrize(
    "entry",
    [
        {"data_offsets": [0, 48]},  # the bytes of another tensor
        {"dtype": []},
        {"dtype": "F64"},
        {"shape": [-24]},
        {"shape": [24.0]},
        {"shape": "24"},
    ],
    ids=str,
)
def test_a_header_with_a_wrong_entry_is_refused(checkpoint_copy, entry):
    header, data = header_and_data(checkpoint_copy)
    entries = json.loads(header)
    entries["ln_final.bias"] |= entry
    write_weights(checkpoint_copy, json.dumps(entries).encode(), data)
    with pytest.raises(CheckpointError, match=WEIGHTS):
        load(checkpoint_copy)


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\xff" * 8], ids=["empty", "short", "huge"])
def test_a_file_without_a_header_is_refused(checkpoint_copy, data):
    (checkpoint_copy / WEIGHTS).write_bytes(data)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(checkpoint_copy)


def test_a_header_larger_than_any_model_needs_is_refused(checkpoint_copy):
    header, data = header_and_data(checkpoint_copy)
    write_weights(checkpoint_copy, header + b" " * 2**20, data)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(checkpoint_copy)


def test_a_pickle_named_as_the_weights_is_refused(checkpoint_copy, model):
    torch.save(model.state_dict(), checkpoint_copy / WEIGHTS)
    update_hashes(checkpoint_copy)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(checkpoint_copy)

import dataclasses
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from microgpt import checkpoint
from microgpt.analysis.baselines import Baselines
from microgpt.analysis.head_patterns import PATTERNS
from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint import Checkpoint, CheckpointError, load, save, sha256
from microgpt.checkpoint.loss_record import LossRow
from microgpt.checkpoint.provenance import Training
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.config import GPTConfig
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer

WEIGHTS = "model.safetensors"
HASHED = (WEIGHTS, "tokenizer.json", "loss_record.csv")


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the small checkpoint that a test may change."""
    return shutil.copytree(tiny_checkpoint, tmp_path / "copy")


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change config.json of a checkpoint."""
    path = folder / "config.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def rehash(folder: Path) -> None:
    """Make the hashes those of the files as they are now, as someone who means harm would."""
    edit(folder, lambda values: values.update(sha256={n: sha256(folder / n) for n in HASHED}))


def replace_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Change the weights of a checkpoint and its hash."""
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)
    rehash(folder)


def rewrite_header(folder: Path, header: bytes, data: bytes = b"") -> None:
    (folder / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header + data)
    rehash(folder)


def test_a_checkpoint_survives_saving_and_loading(
    tiny_checkpoint, model, tokenizer, loss_record, training
):
    loaded = load(tiny_checkpoint)
    assert loaded.config == model.config
    assert loaded.tokenizer.characters == tokenizer.characters
    assert loaded.loss_record == loss_record
    assert loaded.training == training
    assert loaded.weights_sha256 == sha256(tiny_checkpoint / WEIGHTS)
    assert {path.name for path in tiny_checkpoint.iterdir()} == set(checkpoint.FILES)


def test_weights_are_rounded_to_half_precision_and_read_as_float32(tiny_checkpoint, model):
    stored = load_file(tiny_checkpoint / WEIGHTS)
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    for name, tensor in load(tiny_checkpoint).model.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, model.state_dict()[name].half().float())


def test_a_loaded_model_is_ready_to_be_shared(tiny_checkpoint):
    loaded = load(tiny_checkpoint).model
    assert not any(module.training for module in loaded.modules())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_weights_in_float32_are_read_as_well(folder, model):
    replace_weights(folder, lambda weights: weights.update(model.state_dict()))
    for name, tensor in load(folder).model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name])


def test_a_loaded_model_does_not_depend_on_its_file(folder, model):
    replace_weights(folder, lambda weights: weights.update(model.state_dict()))
    loaded = load(folder)
    with open(folder / WEIGHTS, "r+b") as file:
        file.write(b"\0" * (folder / WEIGHTS).stat().st_size)
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name])


@pytest.mark.parametrize(("dtype", "name"), [(torch.float64, "F64"), (torch.int8, "I8")], ids=str)
def test_weights_of_another_dtype_are_refused_for_their_dtype(folder, dtype, name):
    replace_weights(folder, lambda ws: ws.update({"head.bias": ws["head.bias"].to(dtype)}))
    with pytest.raises(CheckpointError) as caught:
        load(folder)
    assert str(caught.value) == (
        f"head.bias in {WEIGHTS} has the dtype '{name}'; save it as F16, BF16 or F32"
    )


def test_the_fingerprint_tells_checkpoints_apart(folder, tiny_checkpoint, tokenizer):
    fingerprints = {load(tiny_checkpoint).fingerprint, load(folder).fingerprint}
    assert len(fingerprints) == 1
    replace_weights(folder, lambda weights: weights["head.bias"].add_(1))
    fingerprints.add(load(folder).fingerprint)
    other = tokenizer.characters[:-1] + "~"
    (folder / "tokenizer.json").write_text(CharTokenizer(other).to_json())
    rehash(folder)
    fingerprints.add(load(folder).fingerprint)
    edit(folder, lambda values: values["model"].update(n_head=2))
    fingerprints.add(load(folder).fingerprint)
    assert len(fingerprints) == 4


def test_the_hashes_are_those_of_the_files(tiny_checkpoint):
    hashes = {name: sha256(tiny_checkpoint / name) for name in HASHED}
    assert json.loads((tiny_checkpoint / "config.json").read_text())["sha256"] == hashes
    assert checkpoint.read_config(tiny_checkpoint)[2] == hashes


@pytest.mark.parametrize("name", HASHED)
def test_a_flipped_byte_is_found(folder, name):
    path = folder / name
    data = bytearray(path.read_bytes())
    data[-2] ^= 1  # of the vocabulary's and the record's last lines it spares the line end
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=f"^{name} is damaged: its SHA-256 is not the one"):
        load(folder)


def test_everybody_may_read_what_was_saved(tiny_checkpoint):
    assert stat.S_IMODE((tiny_checkpoint / WEIGHTS).stat().st_mode) == 0o644


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json"])
@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_file_that_cannot_be_read_is_told_apart_from_a_damaged_one(folder, name):
    (folder / name).unlink()
    (folder / name).symlink_to("/proc/self/mem")  # nobody can read it from its start, not even root
    with pytest.raises(CheckpointError, match=f"^{name} cannot be read: Input/output error$"):
        load(folder)


@pytest.mark.parametrize("change", [lambda data: data[:-2], lambda data: data + b"\0\0"])
def test_truncated_or_longer_weights_are_found(folder, change):
    path = folder / WEIGHTS
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match="not a safetensors file, or is truncated"):
        load(folder)


def transpose(weights: dict[str, torch.Tensor]) -> None:
    weights["blocks.0.mlp.up.weight"] = weights["blocks.0.mlp.up.weight"].T.contiguous()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (transpose, r"blocks.0.mlp.up.weight must be numbers of shape \[96, 24\]"),
        (lambda weights: weights.pop("head.bias"), "'head.bias' is in only one of them"),
        (lambda weights: weights.update(more=torch.zeros(1)), "'more' is in only one of them"),
        (lambda weights: weights.update({"x" * 5000: torch.zeros(1)}), "is in only one of them"),
        (lambda weights: weights.update({"head.bias": weights["head.bias"].int()}), "head.bias"),
        (lambda weights: weights["head.bias"].fill_(torch.nan), "contains NaN"),
    ],
)
def test_weights_that_do_not_fit_the_config_are_refused(folder, change, message):
    replace_weights(folder, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(folder)
    assert len(str(caught.value)) < 300


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
def test_a_malformed_weights_file_is_refused(folder, header):
    rewrite_header(folder, header)
    with pytest.raises(CheckpointError, match=WEIGHTS):
        load(folder)


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
def test_a_header_that_lies_is_refused(folder, entry):
    path = folder / WEIGHTS
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["ln_final.bias"] |= entry
    rewrite_header(folder, json.dumps(header).encode(), data[8 + length :])
    with pytest.raises(CheckpointError, match=WEIGHTS):
        load(folder)


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\xff" * 8], ids=["empty", "short", "huge"])
def test_a_weights_file_without_a_header_is_refused(folder, data):
    (folder / WEIGHTS).write_bytes(data)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(folder)


def test_a_header_that_is_larger_than_any_model_needs_is_refused(folder):
    data = (folder / WEIGHTS).read_bytes()
    length = int.from_bytes(data[:8], "little")
    rewrite_header(folder, data[8 : 8 + length] + b" " * 2**20, data[8 + length :])
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(folder)


@pytest.mark.parametrize("name", checkpoint.FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        load(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint folder at .*nowhere"):
        load(tmp_path / "nowhere")


def test_a_pickle_in_place_of_the_weights_is_refused_by_name(folder):
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin, a pickle, which can run code"):
        load(folder)


def test_a_pickle_under_the_weights_name_is_refused(folder, model):
    torch.save(model.state_dict(), folder / WEIGHTS)
    rehash(folder)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load(folder)


def test_a_file_beyond_its_size_is_refused_unread(folder):
    with open(folder / WEIGHTS, "r+b") as file:
        file.truncate(512 * 10**6 + 1)  # sparse: takes no room
    with pytest.raises(CheckpointError, match="512,000,001 bytes; at most 512,000,000"):
        load(folder)


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
        (lambda values: values.update(architecture="llama"), 'does not say "microGPT"'),
        (lambda values: values.pop("training"), "provenance must be a JSON object"),
        (lambda values: values["training"].update(more=1), "unknown field 'more'"),
        (lambda values: values["training"].pop("seconds"), "seconds of .* is missing"),
        (lambda values: values.update(more=1), "unknown field 'more' in config.json"),
        (lambda values: values.update(format="2"), "the format of config.json is '2'"),
        (lambda values: values.update(format=True), "the format of config.json is True"),
        (lambda values: values.update(format=0), "the format of config.json is 0"),
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
    ids=range(33),
)
def test_a_config_that_is_malformed_or_beyond_its_limits_is_refused(folder, change, message):
    edit(folder, change)
    with pytest.raises(CheckpointError, match=message):
        load(folder)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "3", "[" * 100_000], ids=range(5))
def test_a_config_that_is_no_json_object_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"^config.json (cannot be read|must hold)"):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "loss_record.csv"])
def test_a_text_file_that_is_not_utf8_is_refused(folder, name):
    (folder / name).write_bytes(b"\xff\xfe")
    if name in HASHED:
        rehash(folder)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(folder)


def test_a_vocabulary_of_another_size_is_refused(folder, tokenizer):
    (folder / "tokenizer.json").write_text(CharTokenizer("abc").to_json())
    rehash(folder)
    with pytest.raises(CheckpointError, match=f"has 3 characters .* for {tokenizer.vocab_size}"):
        load(folder)


def test_a_malformed_tokenizer_or_record_is_refused(folder):
    (folder / "loss_record.csv").write_text("step,loss\n")
    rehash(folder)
    with pytest.raises(CheckpointError, match="loss record must begin"):
        load(folder)
    (folder / "tokenizer.json").write_text("{}")
    rehash(folder)
    with pytest.raises(CheckpointError, match="a tokenizer must be"):
        load(folder)


def test_saving_replaces_the_folder_that_is_there(
    folder, tiny_config, tokenizer, loss_record, training
):
    (folder / "head_scores.json").write_text("of the old weights")
    other = GPT(tiny_config)
    other.init_small(torch.Generator().manual_seed(5))
    later = dataclasses.replace(training, val_loss_full=None)
    save(folder, Checkpoint(other, tokenizer, loss_record, later))
    loaded = load(folder)
    assert torch.equal(loaded.model.head.weight, other.head.weight.half().float())
    assert loaded.training == later
    assert "is not measured" in (folder / "README.md").read_text()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert {path.name for path in folder.iterdir()} == set(checkpoint.FILES)


def test_a_failure_while_saving_leaves_the_old_checkpoint_and_nothing_else(
    folder, tiny_config, model, tokenizer, loss_record, training
):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    no_record = [None]
    with pytest.raises(TypeError):
        save(folder, Checkpoint(GPT(tiny_config), tokenizer, no_record, training))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on a file's size")
def test_a_full_disk_leaves_the_old_checkpoint(folder, model, tokenizer, loss_record, training):
    import resource  # not on Windows

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save(folder, Checkpoint(model, tokenizer, loss_record, training))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_failure_while_replacing_brings_the_old_checkpoint_back(
    folder, tiny_config, tokenizer, loss_record, training, monkeypatch
):
    """Something clears the new folder away just before it would get its name."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    replace = os.replace
    targets = []

    def hostile(source: Path, target: Path) -> None:
        targets.append(target.exists())
        if target == folder and targets == [False, False]:
            shutil.rmtree(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", hostile)
    with pytest.raises(FileNotFoundError):
        save(folder, Checkpoint(GPT(tiny_config), tokenizer, loss_record, training))
    assert targets == [False] * 3  # Windows renames no folder onto one that exists
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_file_in_the_place_of_the_folder_stays(tmp_path, model, tokenizer, loss_record, training):
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(NotADirectoryError):
        save(tmp_path / "mine", Checkpoint(model, tokenizer, loss_record, training))
    assert (tmp_path / "mine").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_link_to_a_folder_stays_a_link(folder, tmp_path, model, tokenizer, loss_record, training):
    (tmp_path / "link").symlink_to(folder)
    save(tmp_path / "link", Checkpoint(model, tokenizer, loss_record, training))
    assert (tmp_path / "link").is_symlink()
    assert (folder / "README.md").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, "link"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_weights_that_half_precision_cannot_hold_are_not_saved(
    tmp_path, tiny_config, tokenizer, loss_record, training, value
):
    diverged = GPT(tiny_config)
    torch.nn.init.constant_(diverged.head.bias, value)
    with pytest.raises(CheckpointError, match="not finite in half precision"):
        save(tmp_path / "new", Checkpoint(diverged, tokenizer, loss_record, training))
    assert list(tmp_path.iterdir()) == []


# Those that are written now, by the parts of a Checkpoint that they hold.
PART = {
    "baselines.json": "baselines",
    "snapshots.npz": "snapshots",
    "head_scores.json": "head_scores",
}
OPTIONAL = tuple(PART)


@pytest.fixture
def baselines(tokenizer: CharTokenizer) -> Baselines:
    """What knows nothing, whatever it is asked."""
    size = tokenizer.vocab_size
    table = torch.full((size, size), 1 / size).log()
    return Baselines(table[0], table, dict.fromkeys(("uniform", "unigram", "bigram"), 3.2))


@pytest.fixture
def snapshots(tiny_config: GPTConfig) -> Snapshots:
    """Two snapshots of a model of the small one's shape."""
    draw = np.random.default_rng(0)
    size, layers, heads = tiny_config.vocab_size, tiny_config.n_layer, tiny_config.n_head
    return Snapshots(
        steps=np.array([0, 20]),
        passage=draw.integers(size, size=5),
        maps=draw.integers(256, size=(2, layers, heads, 5, 5)),
        probs=draw.dirichlet(np.ones(size), size=(2, 5)),
        samples=draw.integers(size, size=(2, 9)),
    )


@pytest.fixture
def head_scores(tiny_config: GPTConfig) -> HeadScores:
    """Heads of the small model's shape that all look at themselves."""
    ones = torch.ones(tiny_config.n_layer, tiny_config.n_head)
    return HeadScores(
        positions=15,
        counts={name: 15 if name == "itself" else 0 for name in PATTERNS},
        uniform={"itself": 0.25},
        scores={"itself": ones},
        entropy=0 * ones,
        distance=0 * ones,
    )


@pytest.fixture
def full(
    tmp_path: Path,
    model: GPT,
    tokenizer: CharTokenizer,
    loss_record: list[LossRow],
    training: Training,
    baselines: Baselines,
    snapshots: Snapshots,
    head_scores: HeadScores,
) -> Path:
    """A checkpoint of the small model with every optional file."""
    parts = (model, tokenizer, loss_record, training)
    save(tmp_path / "full", Checkpoint(*parts, baselines, snapshots, head_scores))
    return tmp_path / "full"


def test_the_optional_files_survive_saving_and_loading(full, baselines, snapshots, head_scores):
    assert {path.name for path in full.iterdir()} == {*checkpoint.FILES, *OPTIONAL}
    hashes = checkpoint.read_config(full)[2]
    assert hashes == {name: sha256(full / name) for name in (*HASHED, *OPTIONAL)}
    assert checkpoint.files_in(full, hashes) == [*checkpoint.FILES, *OPTIONAL]
    listed = json.loads((full / "config.json").read_text())["optional"]
    assert set(OPTIONAL) <= set(listed) and listed == sorted(listed)
    loaded = load(full)
    assert loaded.baselines.to_json() == baselines.to_json()
    assert loaded.snapshots.to_npz() == snapshots.to_npz()
    assert loaded.head_scores.to_json() == head_scores.to_json()


def test_a_checkpoint_without_the_optional_files_has_none(tiny_checkpoint):
    loaded = load(tiny_checkpoint)
    assert loaded.baselines is loaded.snapshots is loaded.head_scores is None
    hashes = checkpoint.read_config(tiny_checkpoint)[2]
    assert checkpoint.files_in(tiny_checkpoint, hashes) == list(checkpoint.FILES)


@pytest.mark.parametrize("kept", ["baselines", "snapshots", "head_scores"])
def test_one_optional_file_can_be_saved_without_the_others(
    tmp_path, model, tokenizer, loss_record, training, kept, request
):
    parts = (model, tokenizer, loss_record, training)
    save(tmp_path / "one", Checkpoint(*parts, **{kept: request.getfixturevalue(kept)}))
    loaded = load(tmp_path / "one")
    assert (loaded.baselines is not None) == (kept == "baselines")
    assert (loaded.snapshots is not None) == (kept == "snapshots")
    assert (loaded.head_scores is not None) == (kept == "head_scores")
    assert len(list((tmp_path / "one").iterdir())) == len(checkpoint.FILES) + 1


def test_saving_without_the_optional_files_removes_those_that_are_there(
    full, model, tokenizer, loss_record, training
):
    save(full, Checkpoint(model, tokenizer, loss_record, training))
    assert {path.name for path in full.iterdir()} == set(checkpoint.FILES)
    assert load(full).baselines is None


def test_the_optional_files_change_nothing_of_what_the_model_is(full, tiny_checkpoint):
    assert load(full).fingerprint == load(tiny_checkpoint).fingerprint


def is_left_out(folder: Path, name: str, note: str) -> bool:
    """Whether a checkpoint opens without one optional file alone, with a note that matches."""
    loaded = load(folder)
    left_out = [each for each, part in PART.items() if getattr(loaded, part) is None]
    (told,) = loaded.notes
    return left_out == [name] and re.fullmatch(note, told) is not None


def is_refused_if_strict(folder: Path, name: str, reason: str) -> bool:
    """Whether it is left out for that reason, and refused for it by a strict reader."""
    with pytest.raises(CheckpointError, match=f"^{reason}$"):
        load(folder, strict=True)
    return is_left_out(folder, name, f"{reason}; {name} is left out")


def test_a_checkpoint_that_is_whole_has_no_notes(full, tiny_checkpoint):
    assert load(full).notes == load(tiny_checkpoint).notes == ()


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_file_that_was_deleted_is_left_out(full, name):
    (full / name).unlink()
    assert is_left_out(full, name, f"{name} is listed in config.json but not in the folder")
    assert getattr(load(full, strict=True), PART[name]) is None
    hashes = checkpoint.read_config(full)[2]
    assert name in hashes and name not in checkpoint.files_in(full, hashes)


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_file_with_a_flipped_byte_is_left_out(full, name):
    data = bytearray((full / name).read_bytes())
    data[len(data) // 2] ^= 1
    (full / name).write_bytes(data)
    assert is_refused_if_strict(
        full, name, f"{name} is damaged: its SHA-256 is not the one in config.json"
    )


def relist(folder: Path) -> None:
    """Make the hashes of the optional files those of the files as they are now."""
    hashes = {name: sha256(folder / name) for name in OPTIONAL}
    edit(folder, lambda values: values["sha256"].update(hashes))


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\xff\xfe", b"{}", b"[" * 100_000], ids=range(5)
)
def test_a_malformed_optional_file_is_left_out(full, name, content):
    (full / name).write_bytes(content)
    relist(full)
    assert is_refused_if_strict(full, name, ".* cannot be read.*")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_file_that_cannot_be_read_is_left_out(full, name):
    (full / name).unlink()
    (full / name).symlink_to("/proc/self/mem")  # nobody can read it from its start, not even root
    assert is_refused_if_strict(full, name, f"{name} cannot be read: Input/output error")


def test_optional_files_of_another_model_are_left_out(full, snapshots, baselines, head_scores):
    more = dataclasses.replace(head_scores, entropy=torch.zeros(3, 3))
    (full / "head_scores.json").write_text(more.to_json())
    deeper = dataclasses.replace(snapshots, maps=snapshots.maps.repeat(2, axis=1))
    (full / "snapshots.npz").write_bytes(deeper.to_npz())
    fewer = Baselines(baselines.unigram[1:], baselines.bigram[1:, 1:], baselines.val_loss)
    (full / "baselines.json").write_text(fewer.to_json())
    relist(full)
    loaded = load(full)
    assert loaded.baselines is loaded.snapshots is loaded.head_scores is None
    assert loaded.notes == (
        "the checkpoint's baselines do not fit its vocabulary; baselines.json is left out",
        "the checkpoint's snapshots do not fit its model; snapshots.npz is left out",
        "the checkpoint's head scores do not fit its model; head_scores.json is left out",
    )


@pytest.mark.parametrize("name", checkpoint.OPTIONAL)
def test_a_file_that_the_config_does_not_list_is_ignored(folder, name):
    (folder / name).write_text("somebody's own notes")
    loaded = load(folder)
    assert loaded.baselines is loaded.snapshots is loaded.head_scores is None
    assert loaded.notes == ()
    hashes = checkpoint.read_config(folder)[2]
    assert checkpoint.files_in(folder, hashes) == list(checkpoint.FILES)


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_file_beyond_its_size_is_left_out_unread(full, name):
    most = checkpoint.OPTIONAL[name]
    with open(full / name, "r+b") as file:
        file.truncate(most + 1)  # sparse: takes no room
    assert is_refused_if_strict(
        full, name, f"{name} has {most + 1:,} bytes; at most {most:,} are allowed"
    )


@pytest.mark.parametrize("hashed", [3, None, [], "0" * 64], ids=str)
@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_file_whose_hash_is_none_is_left_out(full, name, hashed):
    edit(full, lambda values: values["sha256"].update({name: hashed}))
    assert is_refused_if_strict(full, name, f"{name} is damaged: .*")


def test_no_unknown_file_may_be_listed(folder):
    edit(folder, lambda values: values["sha256"].update({"more.json": "0" * 64}))
    with pytest.raises(CheckpointError, match=r"unknown file 'more.json' in config.json"):
        load(folder)

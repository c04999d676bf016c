import hashlib

from safetensors.torch import load_file, save_file

from microgpt.checkpoint import (
    TOKENIZER,
    WEIGHTS,
    Origin,
    add_head_scores,
    add_snapshots,
    check_files,
    files_in,
    load,
    read_config,
    replace_training,
    save,
    sha256,
)
from microgpt.checkpoint.runs import read_run
from microgpt.hub import load_folder
from microgpt.tokenizer import CharTokenizer
from tests.checkpoint.editing import edit_config, update_hashes
from tests.folders import contents


def test_the_sha256_of_a_file_is_in_hexadecimal(tmp_path):
    (tmp_path / "file").write_bytes(b"some bytes")
    assert sha256(tmp_path / "file") == hashlib.sha256(b"some bytes").hexdigest()


def test_a_folder_may_be_named_by_a_string(full_checkpoint):
    before, name = contents(full_checkpoint), str(full_checkpoint)
    loaded = load(name)
    add_head_scores(name, loaded.head_scores, loaded.config)
    add_snapshots(name, loaded.snapshots, loaded.config)
    replace_training(name, loaded)
    save(name, loaded)
    assert contents(full_checkpoint) == before
    check_files(name)
    assert set(files_in(name, read_config(name)[2])) == set(before)
    assert read_run(name).name == full_checkpoint.name
    assert load_folder(name).fingerprint == loaded.fingerprint


def test_a_bundled_checkpoint_is_called_by_its_corpus(full_checkpoint):
    assert load(full_checkpoint).title == full_checkpoint.name
    bundled = load(full_checkpoint, Origin("bundled", str(full_checkpoint)))
    assert bundled.title == bundled.training.data
    assert load(full_checkpoint, Origin("hub", "someone/mine", "a" * 40)).title == "someone/mine"


def test_the_fingerprint_identifies_the_config_the_vocabulary_and_the_weights(
    checkpoint_copy, tiny_checkpoint, full_checkpoint, tokenizer
):
    original = load(tiny_checkpoint).fingerprint
    assert load(checkpoint_copy).fingerprint == load(full_checkpoint).fingerprint == original
    fingerprints = {original}
    weights = load_file(checkpoint_copy / WEIGHTS)
    weights["head.bias"] += 1
    save_file(weights, checkpoint_copy / WEIGHTS)
    update_hashes(checkpoint_copy)
    fingerprints.add(load(checkpoint_copy).fingerprint)
    other = CharTokenizer(tokenizer.characters[:-1] + "~")
    (checkpoint_copy / TOKENIZER).write_text(other.to_json())
    update_hashes(checkpoint_copy)
    fingerprints.add(load(checkpoint_copy).fingerprint)
    edit_config(checkpoint_copy, lambda values: values["model"].update(n_head=2))
    fingerprints.add(load(checkpoint_copy).fingerprint)
    assert len(fingerprints) == 4

import dataclasses
import json

import pytest

from microgpt import checkpoint
from microgpt.analysis import baselines
from microgpt.checkpoint import Checkpoint
from microgpt.cli import main
from microgpt.data import split
from microgpt.tokenizer import CharTokenizer
from tests.folders import contents
from tests.models import random_model


@pytest.fixture
def arguments(checkpoint_copy, corpus_file) -> list[str]:
    """The command that fits the baselines for the small checkpoint to its corpus."""
    return ["baselines", "--checkpoint", str(checkpoint_copy), "--data", str(corpus_file)]


@pytest.fixture
def expected(checkpoint_copy, corpus) -> baselines.Baselines:
    """The baselines of that corpus, fitted by the library."""
    loaded = checkpoint.load(checkpoint_copy)
    splits = split(loaded.tokenizer.encode(corpus), loaded.config.block_size)
    return baselines.fit(splits, loaded.config.vocab_size, loaded.training.config.seed)


def test_a_row_for_each_baseline_is_printed_and_no_file_changes(
    arguments, checkpoint_copy, expected, capsys
):
    before = contents(checkpoint_copy)
    assert main(arguments) == 0
    title, *rows = capsys.readouterr().out.splitlines()
    assert title.split() == ["baseline", "nats", "per", "character", "bits", "per", "character"]
    printed = {name: float(nats) for name, nats, _ in map(str.split, rows)}
    assert printed == pytest.approx(expected.val_loss, abs=1e-4)
    assert contents(checkpoint_copy) == before


def test_baselines_are_written_into_the_checkpoint(arguments, checkpoint_copy, expected, capsys):
    before = contents(checkpoint_copy)
    for _ in range(2):  # the second time, there are baselines already
        assert main([*arguments, "--write"]) == 0
        after = contents(checkpoint_copy)
        changed = {name for name, content in after.items() if before.get(name) != content}
        assert changed == {"config.json", "baselines.json"} and before.keys() <= after.keys()
    loaded = checkpoint.load(checkpoint_copy, strict=True)
    assert loaded.baselines.to_json() == expected.to_json()
    old, new = json.loads(before["config.json"]), json.loads(after["config.json"])
    assert set(new.pop("optional")) - set(old.pop("optional", [])) == {"baselines.json"}
    assert new["sha256"].pop("baselines.json") and new == old


def test_a_disk_that_is_full_leaves_the_checkpoint_as_it_was(
    tmp_path, tiny_config, training, full_disk, capsys
):
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + 60)))  # 3,600 numbers for the bigram
    many = random_model(dataclasses.replace(tiny_config, vocab_size=60), seed=0)
    checkpoint.save(tmp_path / "made", Checkpoint(many, CharTokenizer(characters), [], training))
    (tmp_path / "text.txt").write_text(characters * 20, encoding="utf-8")
    before = contents(tmp_path / "made")
    files = ["--checkpoint", str(tmp_path / "made"), "--data", str(tmp_path / "text.txt")]
    with full_disk():
        assert main(["baselines", *files, "--write"]) == 2
    assert "File too large" in capsys.readouterr().err
    after = contents(tmp_path / "made")
    assert checkpoint.load(tmp_path / "made", strict=True).baselines is None
    assert after.keys() == before.keys()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--checkpoint", "no/such/folder", "--write"], "--write needs a checkpoint folder"),
        (["--data", "missing.txt"], "cannot be read"),
        (["--data", "{copy}/README.md"], "not in the vocabulary"),
    ],
    ids=str,
)
def test_invalid_options_are_errors(arguments, checkpoint_copy, command_error, options, message):
    options = [option.format(copy=checkpoint_copy) for option in options]
    assert message in command_error(*arguments, *options)

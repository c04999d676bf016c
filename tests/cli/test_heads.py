import json

import pytest

from microgpt import checkpoint
from microgpt.analysis.head_patterns import PATTERNS
from microgpt.analysis.heads import head_scores
from microgpt.checkpoint import Checkpoint
from microgpt.cli import main
from microgpt.config import GPTConfig
from microgpt.data import split
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from tests.folders import contents


@pytest.fixture
def arguments(checkpoint_copy, corpus_file) -> list[str]:
    """The command that measures the heads of the small checkpoint on its corpus."""
    return ["heads", "--checkpoint", str(checkpoint_copy), "--data", str(corpus_file)]


def test_a_row_for_each_head_is_printed_and_no_file_changes(arguments, checkpoint_copy, capsys):
    before = contents(checkpoint_copy)
    assert main(arguments) == 0
    titles, *heads, uniform, queries = map(str.split, capsys.readouterr().out.splitlines())
    assert titles == [
        "layer",
        "head",
        *PATTERNS,
        "repeated",
        "entropy",
        "distance",
        "ablation",
        "label",
    ]
    assert [row[:2] for row in heads] == [[layer, head] for layer in "12" for head in "123"]
    assert all(row[titles.index("ablation")][0] in "+-" for row in heads)
    assert (uniform[0], queries[0]) == ("uniform", "queries")
    assert contents(checkpoint_copy) == before


def test_scores_are_written_into_the_checkpoint(arguments, checkpoint_copy, corpus):
    before = contents(checkpoint_copy)
    for _ in range(2):  # the second time, there are scores already
        assert main([*arguments, "--write"]) == 0
        after = contents(checkpoint_copy)
        changed = {name for name, content in after.items() if before.get(name) != content}
        assert changed == {"config.json", "head_scores.json"} and before.keys() <= after.keys()
    loaded = checkpoint.load(checkpoint_copy)
    val = split(loaded.tokenizer.encode(corpus), loaded.config.block_size).val
    expected = head_scores(loaded.model, loaded.tokenizer, val)
    assert loaded.head_scores.to_json() == expected.to_json()
    old, new = json.loads(before["config.json"]), json.loads(after["config.json"])
    assert set(new.pop("optional")) - set(old.pop("optional", [])) == {"head_scores.json"}
    assert list(new) == list(old)
    assert new["sha256"].pop("head_scores.json") and new == old


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--checkpoint", "no/such/folder", "--write"], "--write needs a checkpoint folder"),
        (["--data", "missing.txt"], "cannot be read"),
        (["--data", "{copy}/README.md"], "not in the vocabulary"),
        (["--device", "abacus"], "no device called 'abacus'"),
        (["--checkpoint", "{empty}"], "config.json is missing"),
    ],
    ids=str,
)
def test_invalid_options_are_errors(
    arguments, checkpoint_copy, tmp_path, command_error, options, message
):
    (tmp_path / "empty").mkdir()
    paths = {"copy": checkpoint_copy, "empty": tmp_path / "empty"}
    error = command_error(*arguments, *(option.format(**paths) for option in options))
    assert message in error


def test_a_context_window_of_one_character_has_no_attention_to_measure(
    tmp_path, training, corpus_file, command_error
):
    model = GPT(GPTConfig(vocab_size=2, block_size=1, n_layer=1, n_head=1, n_embd=8))
    checkpoint.save(tmp_path / "one", Checkpoint(model, CharTokenizer("ab"), [], training))
    error = command_error("heads", "--checkpoint", tmp_path / "one", "--data", corpus_file)
    assert "no attention to measure" in error

import json

import pytest

from microgpt import checkpoint, tasks
from microgpt.cli import main
from microgpt.translate import translate_all
from tests.pair_run import LENGTH, rows_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("pairs") / "dates"
    rows_of(out, steps=2, snapshot_count=2)
    return out


def test_the_translation_is_printed(folder, capsys):
    made = checkpoint.load_pairs(folder)
    assert main(["translate", "--checkpoint", str(folder), "--text", "3 May 2024"]) == 0
    captured = capsys.readouterr()
    assert captured.out == translate_all(made.model, made.tokenizer, ["3 May 2024"])[0] + "\n"
    assert captured.err == ""


def test_a_text_that_is_not_a_date_is_translated_with_a_note(folder, capsys):
    assert main(["translate", "--checkpoint", str(folder), "--text", "30 February 2024"]) == 0
    assert "never trained on a text like this one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "empty"), ("1" * 52, "at most 51"), ("3 März 2024", "'ä'"), ("3\t4", "tab")],
)
def test_a_text_that_cannot_be_read_is_an_error(folder, command_error, text, message):
    assert message in command_error("translate", "--checkpoint", folder, "--text", text)


def test_each_command_names_the_kind_that_it_cannot_open(folder, tiny_checkpoint, command_error):
    assert "page Cross-attention" in command_error("generate", "--checkpoint", folder)
    error = command_error("translate", "--checkpoint", tiny_checkpoint, "--text", "3 May 2024")
    assert "has no cross-attention" in error


def test_evaluate_prints_the_accuracy_and_writes_it(folder, capsys, command_error, monkeypatch):
    monkeypatch.setattr(tasks, "LENGTH", LENGTH)
    exact = checkpoint.load_pairs(folder).training.exact_match
    assert main(["evaluate", "--checkpoint", str(folder), "--device", "cpu", "--write"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["exact_match"] == exact and printed["phrases"] > 10
    assert checkpoint.load_pairs(folder).training.exact_match == exact
    assert "for a GPT" in command_error("evaluate", "--checkpoint", folder, "--words")


def test_heads_prints_the_scores_of_each_cross_attention_head(
    folder, capsys, command_error, monkeypatch
):
    monkeypatch.setattr(tasks, "LENGTH", LENGTH)
    scores = checkpoint.load_pairs(folder).cross_scores
    assert main(["heads", "--checkpoint", str(folder)]) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[:2] for row in rows] == [
        *(["1", "1"], ["1", "2"]),
        *(["uniform", f"{scores.uniform[0]:.3f}"], ["all", "heads"]),
    ]
    shares = [float(cell) for cell in rows[1].split()[2:5]]
    assert shares == pytest.approx(scores.shares[-1, 0, 1].tolist(), abs=2e-3)
    assert "for a GPT" in command_error("heads", "--checkpoint", folder, "--write")

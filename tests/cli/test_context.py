import pytest

from microgpt import checkpoint
from microgpt.cli import main
from tests.folders import contents


def test_a_row_for_each_length_is_printed_and_the_result_written(checkpoint_copy, tmp_path, capsys):
    before = contents(checkpoint_copy)
    (tmp_path / "text.txt").write_text("ba do ke li mu. ba do ke li mu.")
    command = ["context", "--checkpoint", str(checkpoint_copy)]
    assert main([*command, "--text", str(tmp_path / "text.txt")]) == 0
    assert contents(checkpoint_copy) == before
    title, *rows = capsys.readouterr().out.splitlines()
    assert title.split() == ["length", "loss"] and [row.split()[0] for row in rows] == ["1"]
    assert main([*command, "--text", str(tmp_path / "text.txt"), "--write"]) == 0
    loaded = checkpoint.load(checkpoint_copy)
    stored = loaded.context_losses
    assert loaded.tokenizer.decode(stored.ids) == "ba do ke li mu. ba do ke li mu."
    assert rows[0].split()[1] == f"{stored.surprisal.mean().item():.4f}"
    assert main([*command, "--write"]) == 0
    assert checkpoint.load(checkpoint_copy).context_losses.ids == stored.ids, "the same text"


@pytest.mark.parametrize("text", ["", "b"])
def test_a_text_without_a_prediction_is_refused(checkpoint_copy, tmp_path, capsys, text):
    (tmp_path / "text.txt").write_text(text)
    arguments = ["--checkpoint", str(checkpoint_copy), "--text", str(tmp_path / "text.txt")]
    assert main(["context", *arguments]) == 2
    assert capsys.readouterr().err

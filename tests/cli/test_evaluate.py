import dataclasses
import hashlib
import json
import math
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt import checkpoint
from microgpt.analysis import words
from microgpt.analysis.loss import full_loss
from microgpt.cli import main
from microgpt.data import split
from tests.folders import contents


@pytest.fixture
def arguments(tiny_checkpoint, corpus_file) -> list[str]:
    """The command that evaluates the small checkpoint on its corpus."""
    files = ["--checkpoint", str(tiny_checkpoint), "--data", str(corpus_file)]
    return ["evaluate", *files, "--device", "cpu"]


def test_the_losses_are_printed_as_one_json_object(arguments, tiny_checkpoint, corpus, capsys):
    assert main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    loaded = checkpoint.load(tiny_checkpoint)
    val = split(loaded.tokenizer.encode(corpus), loaded.config.block_size).val
    loss = full_loss(loaded.model, val)
    assert printed == {
        "parameters": loaded.model.parameter_count(),
        "val_loss_full": pytest.approx(loss, abs=1e-4),
        "bits_per_char": pytest.approx(loss / math.log(2), abs=1e-4),
    }


def test_losses_of_random_batches_are_printed_on_request(arguments, capsys):
    assert main([*arguments, "--sampled"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["val_loss_sampled"] == pytest.approx(printed["val_loss_full"], rel=0.05)
    assert printed["train_loss_sampled"] > 0


def test_an_unusable_checkpoint_text_or_device_is_an_error(
    tiny_checkpoint, tmp_path, command_error
):
    euros = tmp_path / "euros.txt"
    euros.write_text("€" * 1000, encoding="utf-8")
    missing = tmp_path / "missing"
    for name, options, message in (
        (missing, ["--data", euros], "missing"),
        (tiny_checkpoint, ["--data", euros], "'€'"),
        (tiny_checkpoint, ["--data", missing], "cannot be read"),
        (tiny_checkpoint, ["--device", "abacus"], "abacus"),
    ):
        assert message in command_error("evaluate", "--checkpoint", name, *options)


def test_the_error_for_a_text_in_another_script_is_short(tiny_checkpoint, tmp_path, command_error):
    text = tmp_path / "chinese.txt"
    text.write_text("".join(map(chr, range(0x4E00, 0x5600))), encoding="utf-8")
    error = command_error("evaluate", "--checkpoint", tiny_checkpoint, "--data", text)
    assert len(error) < 300


@pytest.mark.parametrize("options", [[], ["--sampled"]], ids=str)
def test_a_model_that_overflows_is_an_error(
    overflowing_checkpoint, corpus_file, command_error, options
):
    files = ["--checkpoint", overflowing_checkpoint, "--data", corpus_file]
    assert "overflow on this text" in command_error("evaluate", *files, *options)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT to another process")
def test_an_interrupt_ends_the_command_with_one_line(tiny_checkpoint, corpus, tmp_path):
    text = tmp_path / "long.txt"
    text.write_text(corpus * 200, encoding="utf-8", newline="")
    command = [sys.executable, "-m", "microgpt", "evaluate", "--checkpoint", str(tiny_checkpoint)]
    command += ["--data", str(text), "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.stderr.read(1) not in (b"%", b""):  # until the bar is drawn, or all has ended
            pass
        process.send_signal(signal.SIGINT)
        error = process.stderr.read().decode()
    assert error.endswith("\ninterrupted\n")
    assert "Traceback" not in error
    assert process.returncode == 130


@pytest.fixture
def word_command(trained_checkpoint, corpus_file, tmp_path, monkeypatch) -> list[str]:
    """The command that measures the words of a copy of the trained checkpoint, in short texts."""
    monkeypatch.setattr(words, "TEXTS", 2)
    monkeypatch.setattr(words, "LENGTH", 200)
    folder = shutil.copytree(trained_checkpoint, tmp_path / "copy")
    files = ["--checkpoint", str(folder), "--data", str(corpus_file)]
    return ["evaluate", *files, "--device", "cpu", "--words"]


def test_the_share_of_known_words_is_printed(word_command, corpus, capsys):
    folder = Path(word_command[2])
    before = contents(folder)
    assert main(word_command) == 0
    made = checkpoint.load(folder)
    share = words.word_share(words.write_texts(made.model, made.tokenizer), corpus)
    assert json.loads(capsys.readouterr().out)["word_share"] == round(share, 4)
    assert contents(folder) == before


def test_the_measurements_are_recorded(word_command, capsys):
    folder = Path(word_command[2])
    (folder / "LICENSE").write_text("of its owner")
    before, files = checkpoint.load(folder).training, contents(folder)
    assert main([*word_command, "--write"]) == 0
    printed = json.loads(capsys.readouterr().out)
    after = checkpoint.load(folder, strict=True).training
    measured = {name: printed[name] for name in ("val_loss_full", "word_share")}
    assert after == dataclasses.replace(before, **measured)
    assert f"{printed['word_share']:.1%} occur in" in (folder / checkpoint.CARD).read_text("utf-8")
    changed = {name for name, content in contents(folder).items() if files.get(name) != content}
    assert changed == {checkpoint.CONFIG, checkpoint.CARD}
    assert contents(folder).keys() == files.keys()


def test_measurements_are_recorded_only_in_a_folder_and_for_its_text(
    checkpoint_copy, corpus_file, tmp_path, command_error
):
    before = contents(checkpoint_copy)
    data = ["--data", corpus_file, "--write"]
    error = command_error("evaluate", "--checkpoint", checkpoint_copy, *data)
    assert "the text that the checkpoint was trained on" in error
    assert "is not a folder" in command_error("evaluate", "--checkpoint", "user/name", *data)
    assert contents(checkpoint_copy) == before


def test_the_text_is_recorded_as_the_corpus_of_a_checkpoint_that_has_none(
    checkpoint_copy, corpus_file, corpus, capsys
):
    made = checkpoint.load(checkpoint_copy)
    unknown = dataclasses.replace(made.training, data="unknown", data_sha256="unknown")
    checkpoint.replace_training(checkpoint_copy, dataclasses.replace(made, training=unknown))
    command = ["evaluate", "--checkpoint", str(checkpoint_copy), "--data", str(corpus_file)]
    assert main(command) == 0
    assert checkpoint.load(checkpoint_copy).training == unknown
    assert main([*command, "--write"]) == 0
    loss = json.loads(capsys.readouterr().out.splitlines()[-1])["val_loss_full"]
    assert checkpoint.load(checkpoint_copy, strict=True).training == dataclasses.replace(
        unknown,
        data=corpus_file.name,
        data_sha256=hashlib.sha256(corpus.encode()).hexdigest(),
        val_loss_full=loss,
    )

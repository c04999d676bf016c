import json
import math
import signal
import subprocess
import sys

import pytest

from microgpt import checkpoint
from microgpt.analysis.loss import full_loss
from microgpt.cli import main
from microgpt.data import split


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

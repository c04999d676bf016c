import signal
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt import checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.cli import main
from microgpt.config import GPTConfig
from microgpt.engine import Decoder
from microgpt.generate import generate, start_ids
from microgpt.model import GPT
from microgpt.sampling import SAMPLING_SETTINGS, SamplingConfig
from microgpt.tokenizer import CharTokenizer

ENDLESS = ("--tokens", "1000000")


def start(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "microgpt", "generate", *arguments]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE)


def test_every_setting_is_used(tiny_checkpoint, capsys):
    settings = {
        name: type(setting.default)(sum(setting.limits) / 3)
        for name, setting in SAMPLING_SETTINGS.items()
    }
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    arguments = ["--checkpoint", str(tiny_checkpoint), "--tokens", "40", "--seed", "4", "--exact"]
    assert main(["generate", *arguments, *options]) == 0
    loaded = checkpoint.load(tiny_checkpoint)
    config = SamplingConfig(**settings, seed=4, exact=True)
    ids = start_ids(loaded.tokenizer, "\n")
    stream = generate(Decoder(loaded.model), loaded.tokenizer, ids, 40, config)
    text = "".join(character.text for character in stream)
    assert capsys.readouterr().out == "\n" + text


def test_the_prompt_and_the_requested_number_of_characters_are_printed(tiny_checkpoint, capsys):
    arguments = ["--checkpoint", str(tiny_checkpoint), "--prompt", "ba ", "--tokens", "70"]
    assert main(["generate", *arguments]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("ba ") and len(out) == len("ba ") + 70
    rate, unit = err.splitlines()[-1].split(" ", 1)
    assert float(rate) > 0 and unit == "characters/s"


@pytest.mark.parametrize(("characters", "start"), [("ACGT", "A"), ("\nACG", "\n")], ids=ascii)
def test_no_prompt_is_needed(tmp_path, training, capsys, characters, start):
    model = GPT(GPTConfig(4, block_size=8, n_layer=1, n_head=1, n_embd=4))
    checkpoint.save(tmp_path / "dna", Checkpoint(model, CharTokenizer(characters), [], training))
    assert main(["generate", "--checkpoint", str(tmp_path / "dna"), "--tokens", "3"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(start) and len(out) == len(start) + 3


@pytest.mark.parametrize("tokens", [0, 1])
def test_no_character_or_only_one_can_be_requested(tiny_checkpoint, capsys, tokens):
    assert main(["generate", "--checkpoint", str(tiny_checkpoint), "--tokens", str(tokens)]) == 0
    assert len(capsys.readouterr().out) == len("\n") + tokens


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prompt", "€"], "'€'"),
        (["--temperature", "3"], "temperature is 3.0"),
        (["--tokens", "-1"], "--tokens is -1"),
    ],
    ids=str,
)
def test_invalid_options_are_errors(tiny_checkpoint, command_error, options, message):
    assert message in command_error("generate", "--checkpoint", tiny_checkpoint, *options)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGPIPE")
def test_a_closed_pipe_ends_the_command_without_a_message(tiny_checkpoint):
    with start("--checkpoint", str(tiny_checkpoint), *ENDLESS) as process:
        assert len(process.stdout.read(5)) == 5
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT to another process")
def test_an_interrupt_ends_the_command_with_one_line(tiny_checkpoint):
    with start("--checkpoint", str(tiny_checkpoint), *ENDLESS) as process:
        process.stdout.read(5)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr.read() == b"\ninterrupted\n"
    assert process.returncode == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_under_the_output_is_an_error(tiny_checkpoint):
    with open("/dev/full", "wb") as full:
        process = start("--checkpoint", str(tiny_checkpoint), stdout=full.fileno())
        _, error = process.communicate()
    assert error == b"error: cannot write the output: No space left on device\n"
    assert process.returncode == 2


def test_a_model_that_overflows_is_an_error(overflowing_checkpoint, command_error):
    error = command_error("generate", "--checkpoint", overflowing_checkpoint)
    assert error == (
        "error: the activations of this model overflow on this text; use another checkpoint"
    )

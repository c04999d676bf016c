"""What all commands share: exit codes and error messages."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from microgpt import __version__, checkpoint
from microgpt.checkpoint import Checkpoint
from microgpt.cli import main
from microgpt.config import GPTConfig
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer

ROOT = Path(__file__).parents[2]
MICROGPT = [sys.executable, "-m", "microgpt"]


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"microgpt {__version__}\n"


def test_options_cannot_be_abbreviated(corpus_file, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--data", str(corpus_file), "--out", str(tmp_path / "out"), "--res"])
    assert "unrecognized arguments: --res" in capsys.readouterr().err


def test_an_error_of_the_operating_system_is_one_line(corpus_file, tmp_path, command_error):
    out = tmp_path / ("x" * 300)
    error = command_error("train", "--data", corpus_file, "--out", out)
    assert error == f"error: {out}: File name too long"


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (MemoryError(), "use a smaller model"),
        (RuntimeError("DefaultCPUAllocator: not enough memory"), "use a smaller model"),
        (torch.OutOfMemoryError("CUDA out of memory.\nTried to"), "pass --device cpu"),
    ],
    ids=["Python", "PyTorch on a CPU", "PyTorch on a GPU"],
)
def test_too_little_memory_is_one_line(
    tiny_checkpoint, corpus_file, command_error, monkeypatch, error, advice
):
    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(GPT, "to", fail)
    line = command_error("evaluate", "--checkpoint", tiny_checkpoint, "--data", corpus_file)
    assert "too little free memory" in line and advice in line


def test_an_unexpected_error_is_not_hidden(tiny_checkpoint, corpus_file, monkeypatch):
    def fail(*args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(GPT, "to", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["evaluate", "--checkpoint", str(tiny_checkpoint), "--data", str(corpus_file)])


def test_a_closed_pipe_ends_a_command_without_a_message():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*MICROGPT, "runs"], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_command_works_with_closed_outputs(tiny_checkpoint, closed):
    generate = [*MICROGPT, "generate", "--checkpoint", str(tiny_checkpoint), "--tokens", "9"]
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join([*generate, '--prompt', 'ba'])} {closed}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert len(done.stdout) == (0 if closed.startswith(">") else len("ba") + 9)


@pytest.fixture
def accents(tmp_path, training):
    """A checkpoint whose vocabulary is a and é."""
    config = GPTConfig(vocab_size=2, block_size=4, n_layer=1, n_head=1, n_embd=4)
    folder = tmp_path / "accents"
    checkpoint.save(folder, Checkpoint(GPT(config), CharTokenizer("aé"), [], training))
    return folder


def test_a_character_that_the_encoding_of_the_output_lacks_is_replaced(accents):
    done = subprocess.run(
        [*MICROGPT, "generate", "--checkpoint", str(accents), "--prompt", "é", "--tokens", "0"],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"?")
    assert b"the encoding of the output, ascii, lacks some characters" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="file names elsewhere are Unicode")
def test_a_path_that_is_not_utf_8_is_printed_unchanged(accents, tmp_path):
    out = os.fsencode(tmp_path) + b"/caf\xe9"
    export = ["export", "--checkpoint", str(accents), "--to", "transformers", "--out", out]
    done = subprocess.run(
        [*MICROGPT, *export],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0 and b"lacks some characters" not in done.stderr
    assert out + b"/config.json" in done.stdout


def test_a_command_works_where_no_file_can_be_written(tiny_checkpoint, tmp_path):
    pytest.importorskip("resource")  # not on Windows
    code = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # so there is no temporary folder either
from microgpt.cli import main
from microgpt.engine.compiled import load_library
code = main(sys.argv[1:])
assert load_library(True) is None
assert "torch._dynamo" not in sys.modules, "it needs a second, 70 MiB and a temporary folder"
sys.exit(code)
"""
    command = [sys.executable, "-c", code, "generate", "--checkpoint", str(tiny_checkpoint)]
    done = subprocess.run(
        [*command, "--prompt", "ba", "--tokens", "9"],
        cwd=ROOT,
        env=os.environ | {"MICROGPT_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == len("ba") + 9
    assert "Traceback" not in done.stderr

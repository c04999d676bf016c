"""Exit codes and messages that all commands share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt import __version__
from microgpt.cli import main
from microgpt.config import GPTConfig, TrainConfig
from microgpt.model import GPT
from microgpt.training.run import train_checkpoint

ROOT = Path(__file__).parents[2]
MICROGPT = [sys.executable, "-m", "microgpt"]


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"microgpt {__version__}\n"


def test_options_are_not_abbreviated(corpus_file, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--data", str(corpus_file), "--out", str(tmp_path / "out"), "--res"])
    assert "unrecognized arguments: --res" in capsys.readouterr().err


def test_a_name_that_the_system_refuses_is_one_sentence(corpus_file, tmp_path, capsys):
    out = tmp_path / ("x" * 300)
    assert main(["train", "--data", str(corpus_file), "--out", str(out)]) == 2
    assert capsys.readouterr().err == f"error: {out}: File name too long\n"


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory")], ids=repr
)
def test_too_little_memory_is_one_sentence(
    tiny_checkpoint, corpus_file, capsys, monkeypatch, error
):
    def full(*args: object) -> None:
        raise error

    monkeypatch.setattr(GPT, "to", full)
    command = ["evaluate", "--checkpoint", str(tiny_checkpoint), "--data", str(corpus_file)]
    assert main(command) == 2
    assert capsys.readouterr().err.startswith("error: there is too little free memory")


def test_a_fault_of_the_program_is_not_hidden(tiny_checkpoint, corpus_file, monkeypatch):
    def fail(*args: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(GPT, "to", fail)
    with pytest.raises(RuntimeError, match="a fault"):
        main(["evaluate", "--checkpoint", str(tiny_checkpoint), "--data", str(corpus_file)])


def test_a_reader_who_has_enough_ends_any_command_quietly():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*MICROGPT, "runs"], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_character_that_the_encoding_lacks_is_replaced(tmp_path):
    shape = GPTConfig(vocab_size=2, block_size=4, n_layer=1, n_head=1, n_embd=4)
    folder = tmp_path / "accents"
    recipe = TrainConfig(steps=1, batch_size=1, eval_batches=1)
    for _ in train_checkpoint("aé" * 200, shape, recipe, folder, device="cpu"):
        pass
    done = subprocess.run(
        [*MICROGPT, "generate", "--checkpoint", str(folder), "--prompt", "é", "--tokens", "0"],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"?")


def test_a_process_that_can_write_no_file_opens_a_checkpoint(tiny_checkpoint):
    pytest.importorskip("resource", reason="needs limits of the system")
    code = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # so there is no temporary folder either
from microgpt.cli import main
from microgpt.engine.compiled import load_library
code = main(sys.argv[1:])
assert load_library(True) is None
assert "torch._dynamo" not in sys.modules, "takes a second, 70 MiB and a temporary folder"
sys.exit(code)
"""
    command = [sys.executable, "-c", code, "generate", "--checkpoint", str(tiny_checkpoint)]
    done = subprocess.run(
        [*command, "--prompt", "ba", "--tokens", "9"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == len("ba") + 9
    assert "Traceback" not in done.stderr

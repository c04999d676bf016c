import contextlib
import dataclasses
import functools
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from microgpt import checkpoint, hub, tasks
from microgpt.checkpoint import CheckpointError
from microgpt.cli.arguments import held_out_pairs, open_checkpoint, set_values
from microgpt.config import ConfigError, GPTConfig, TrainConfig
from microgpt.encoder_decoder import EncoderDecoder
from microgpt.tasks import task_text
from microgpt.tokenizer import CharTokenizer
from tests.loopback_hub import running
from tests.pair_run import LENGTH

ROOT = Path(__file__).parents[2]
REPO = "someone/small-model"


def test_pairs_set_the_fields_of_both_configs():
    pairs = ["n_embd=15", "n_head=5", "residual=false", "steps=7", "optimizer=muon"]
    model, config = set_values(pairs, GPTConfig(), TrainConfig())
    assert (model.n_embd, model.n_head, model.residual) == (15, 5, False)
    assert (config.steps, config.optimizer) == (7, "muon")
    assert set_values([], model, config) == (model, config)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("nonsense=1", "--set nonsense=1: there is no such setting; write NAME=VALUE"),
        ("steps", "--set steps: there is no such setting"),
        ("vocab_size=65", "there is no such setting"),
        ("x" * 10_000, r"^--set x{100}: there is no such setting; write NAME=VALUE$"),
        ("steps=0", "steps is 0; it must be between 1 and"),
        ("steps=many", "steps is 'many'; it must be a whole number"),
        ("n_head=" + "[" * 900 + "]" * 900, r"n_head is '\[{12}\.\.\.\]{13}'; it must be"),
        ("steps=" + "[" * 100_000, r"steps is '\[\[\[\[.{0,40}\[\[\[\['; it must be"),
        ("steps=1e3", "steps is 1000.0; it must be a whole number"),
        ("learning_rate=NaN", "learning_rate is nan"),
        ("optimizer=newton", "optimizer is 'newton'; it must be adamw"),
        ("n_embd=15", "n_embd is 15; it must be a multiple of n_head, 6"),
    ],
    ids=lambda text: text[:20],
)
def test_an_invalid_pair_is_refused(pair, message):
    with pytest.raises(ConfigError, match=message):
        set_values([pair], GPTConfig(), TrainConfig())


def test_a_folder_is_opened_without_the_hubs_client(tiny_checkpoint):
    code = "import sys; sys.modules |= {'huggingface_hub': None, 'httpx2': None}\n"
    code += "from microgpt.cli.arguments import open_checkpoint as load\n"
    code += "print(load(sys.argv[1]).training.steps)"
    command = [sys.executable, "-c", code, str(tiny_checkpoint)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "20\n"), done.stderr


@pytest.fixture
def serve_repo(tiny_checkpoint, tmp_path, monkeypatch):
    """A context manager that serves REPO; it yields the server and the commit of the repo."""

    @contextlib.contextmanager
    def serve():
        with running(monkeypatch) as server:
            commit = server.add(REPO, tiny_checkpoint)
            load = functools.partial(hub.load, cache_dir=tmp_path, endpoint=server.url)
            monkeypatch.setattr(hub, "load", load)
            yield server, commit

    return serve


def test_a_repo_is_downloaded_with_a_bar_and_its_copy_opened_without_one(serve_repo, capsys):
    with serve_repo() as (_, commit):
        assert open_checkpoint(REPO).origin.commit == commit
        out, err = capsys.readouterr()
        assert out == "" and f"{REPO}: 100%" in err
        assert open_checkpoint(REPO).origin.commit == commit
        assert capsys.readouterr() == ("", "")


def test_a_copy_is_opened_with_a_note_when_the_hub_cannot_be_reached(
    serve_repo, monkeypatch, capsys
):
    with serve_repo() as (server, commit):
        open_checkpoint(REPO)
    capsys.readouterr()
    assert open_checkpoint(REPO).origin.commit == commit
    assert capsys.readouterr().err == (
        f"note: {server.url} cannot be reached; check the connection and try again; "
        f"this is commit {commit[:12]}, from an earlier download\n"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert open_checkpoint(REPO).origin.commit == commit
    assert "while HF_HUB_OFFLINE is set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("characters", "sizes", "message"),
    [
        ("\t\n 0123456789", {}, "its task, dates, which has characters that are not in the voc"),
        (None, {"source_size": 4}, r"its task, dates: its source_size is 4, and the pairs need"),
        (None, {"block_size": 3}, r"its task, dates: its block_size is 3, and the pairs need 11"),
    ],
)
def test_a_checkpoint_that_does_not_fit_its_task_is_named(
    pair_checkpoint, monkeypatch, characters, sizes, message
):
    monkeypatch.setattr(tasks, "LENGTH", LENGTH)
    made = checkpoint.load_pairs(pair_checkpoint)
    tokenizer = CharTokenizer(characters or "".join(sorted(set(task_text(made.training.config)))))
    config = dataclasses.replace(made.config, vocab_size=tokenizer.vocab_size, **sizes)
    model = EncoderDecoder(config)
    with pytest.raises(CheckpointError, match=message):
        held_out_pairs(dataclasses.replace(made, model=model, tokenizer=tokenizer))

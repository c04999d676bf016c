import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint
from microgpt.analysis.loss import full_loss, sampled_loss, text_loss
from microgpt.cli import main
from microgpt.data import split
from microgpt.model import GPT

ROOT = Path(__file__).parents[2]


def by_hand(model, data):
    """Mean loss over every whole window, one character at a time."""
    size, losses = model.config.block_size, []
    for at in range(0, len(data) - size, size):
        probs = model(data[None, at : at + size])[0].double().softmax(-1)
        losses += [-math.log(probs[t, data[at + t + 1]].item()) for t in range(size)]
    return sum(losses) / len(losses)


@pytest.mark.parametrize("length", [17, 16 * 5, 16 * 5 + 1, 16 * 5 + 9])
@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_full_loss_covers_every_window_once(model, tokenizer, corpus, length, batch_size):
    data = torch.tensor(tokenizer.encode(corpus[:length]))
    assert full_loss(model, data, batch_size) == pytest.approx(by_hand(model, data), abs=1e-5)


def test_progress_ends_with_all_windows_done(model, tokenizer, corpus):
    data = torch.tensor(tokenizer.encode(corpus[:100]))
    told = []
    full_loss(model, data, 4, lambda done, total: told.append((done, total)))
    assert told == [(4, 6), (6, 6)]


def test_sampled_loss_follows_its_generator_and_nears_the_full_one(model, tokenizer, corpus):
    data = torch.tensor(tokenizer.encode(corpus))
    losses = [
        sampled_loss(model, data, 40, 16, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]
    assert losses[0] == pytest.approx(full_loss(model, data), rel=0.05)


@pytest.fixture
def args(tiny_checkpoint, corpus_file) -> list[str]:
    """The command that evaluates the small checkpoint on its corpus."""
    args = ["evaluate", "--checkpoint", str(tiny_checkpoint), "--data", str(corpus_file)]
    return [*args, "--device", "cpu"]


def test_the_command_prints_one_json_object(args, tiny_checkpoint, corpus, capsys):
    assert main(args) == 0
    printed = json.loads(capsys.readouterr().out)
    loaded = checkpoint.load(tiny_checkpoint)
    data = split(loaded.tokenizer.encode(corpus), loaded.config.block_size).val
    assert set(printed) == {"parameters", "val_loss_full", "bits_per_char"}
    assert printed["parameters"] == sum(p.numel() for p in loaded.model.parameters())
    assert printed["val_loss_full"] == pytest.approx(by_hand(loaded.model, data), abs=1e-4)
    assert printed["bits_per_char"] == pytest.approx(
        by_hand(loaded.model, data) / math.log(2), abs=1e-4
    )


def test_sampled_adds_the_originals_estimates(args, capsys):
    assert main([*args, "--sampled"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["val_loss_sampled"] == pytest.approx(printed["val_loss_full"], rel=0.05)
    assert printed["train_loss_sampled"] > 0


def test_bad_input_is_one_sentence(tiny_checkpoint, tmp_path, capsys):
    odd = tmp_path / "odd.txt"
    odd.write_text("€" * 1000, encoding="utf-8")
    for args, says in (
        (["evaluate", "--checkpoint", str(tmp_path / "none"), "--data", str(odd)], "none"),
        (["evaluate", "--checkpoint", str(tiny_checkpoint), "--data", str(odd)], "'€'"),
        (
            ["evaluate", "--checkpoint", str(tiny_checkpoint), "--data", str(tmp_path / "no.txt")],
            "cannot read",
        ),
        (["evaluate", "--checkpoint", str(tiny_checkpoint), "--device", "abacus"], "abacus"),
    ):
        assert main(args) == 2
        captured = capsys.readouterr()
        assert says in captured.err and captured.out == ""
        assert len(captured.err.strip().splitlines()) == 1


def test_a_gpu_that_is_full_is_one_sentence(args, capsys, monkeypatch):
    def full(*args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nMore")

    monkeypatch.setattr(GPT, "to", full)
    assert main(args) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: the GPU has too little free memory; pass --device cpu")


def test_an_interrupt_ends_it_in_one_line(tiny_checkpoint, corpus, tmp_path):
    long = tmp_path / "long.txt"
    long.write_text(corpus * 1000, encoding="utf-8", newline="")
    command = [sys.executable, "-m", "microgpt", "evaluate", "--checkpoint", str(tiny_checkpoint)]
    command += ["--data", str(long), "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.stderr.read(1) not in (b"%", b""):  # until the bar moves, or all has ended
            pass
        process.send_signal(signal.SIGINT)
        error = process.stderr.read().decode()
    assert error.endswith("\ninterrupted\n")
    assert "Traceback" not in error
    assert process.returncode == 130


def test_a_folder_is_evaluated_without_the_hubs_client(tiny_checkpoint, corpus_file):
    code = "import sys; sys.modules |= {'huggingface_hub': None, 'httpx2': None}\n"
    code += "from microgpt.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "evaluate", "--checkpoint", str(tiny_checkpoint)]
    command += ["--data", str(corpus_file), "--device", "cpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "val_loss_full" in json.loads(done.stdout)


@pytest.mark.parametrize("length", [2, 9, 17, 18, 33, 100])
def test_the_loss_of_a_text_is_that_of_each_character_but_the_first(
    model, tokenizer, corpus, length
):
    data = torch.tensor(tokenizer.encode(corpus[:length]))
    seen = []
    total = 0.0
    for at in range(1, length):
        window = data[max(0, (at - 17) // 8 + 1) * 8 : at]
        total -= model(window[None])[0, -1].log_softmax(-1)[data[at]].item()
    loss = text_loss(model, data, lambda done, all_: seen.append((done, all_)))
    assert text_loss(model, data.tolist()) == loss
    assert loss == pytest.approx(total / (length - 1), abs=1e-4)
    assert seen[-1] == (length - 1, length - 1)


def test_a_text_of_one_character_has_no_loss(model):
    with pytest.raises(ValueError, match="two characters"):
        text_loss(model, torch.tensor([0]))

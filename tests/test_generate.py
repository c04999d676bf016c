import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch

from microgpt import checkpoint
from microgpt.cli import main
from microgpt.engine import Decoder
from microgpt.generate import KEPT, generate, start_ids
from microgpt.sampling import SAMPLING_SETTINGS, SamplingConfig, next_token_probs
from microgpt.tokenizer import CharTokenizer, UnknownCharacterError

GREEDY = SamplingConfig(temperature=0)


def stream(model, tokenizer, prompt, length, config):
    ids = start_ids(tokenizer, prompt)
    return generate(Decoder(model), tokenizer, ids, length, config)


def write(model, tokenizer, prompt, length, config):
    return "".join(c.text for c in stream(model, tokenizer, prompt, length, config))


def test_same_seed_same_text_and_another_seed_another(model, tokenizer):
    config = SamplingConfig(temperature=1.0, seed=5)
    first = write(model, tokenizer, tokenizer.characters[:3], 60, config)
    torch.manual_seed(99)
    assert write(model, tokenizer, tokenizer.characters[:3], 60, config) == first
    other = write(model, tokenizer, tokenizer.characters[:3], 60, SamplingConfig(1.0, seed=6))
    assert other != first


def test_greedy_text_is_the_argmax_of_the_uncached_model(model, tokenizer):
    prompt = tokenizer.characters[:4]
    ids = tokenizer.encode(prompt)
    length = model.config.block_size - len(ids)
    for character in stream(model, tokenizer, prompt, length, GREEDY):
        expected = model(torch.tensor([ids]))[0, -1]
        torch.testing.assert_close(character.logits, expected, atol=1e-4, rtol=0)
        assert character.token == int(expected.argmax())
        assert character.text == tokenizer.decode([character.token])
        ids.append(character.token)


def test_top_k_one_is_greedy(model, tokenizer):
    prompt = tokenizer.characters[:2]
    config = SamplingConfig(temperature=1.5, top_k=1, seed=3)
    assert write(model, tokenizer, prompt, 20, config) == write(
        model, tokenizer, prompt, 20, GREEDY
    )


@pytest.mark.parametrize(("exact", "kept"), [(False, KEPT), (True, 1)])
def test_past_the_window_what_is_kept_of_it_is_read_again(model, tokenizer, exact, kept):
    config = SamplingConfig(temperature=0, exact=exact)
    window = model.config.block_size
    ids = tokenizer.encode((tokenizer.characters * window)[: window - 2])
    seen = len(ids)
    for record in generate(Decoder(model), tokenizer, ids, 3 * window, config):
        expected = model(torch.tensor([ids[-seen:]]))[0, -1]
        torch.testing.assert_close(record.logits, expected, atol=1e-4, rtol=0)
        ids.append(record.token)
        seen = seen + 1 if seen < window else round(kept * window)


def test_a_text_longer_than_the_window_is_its_last_part(model, tokenizer):
    window = model.config.block_size
    long = (tokenizer.characters * window)[: 3 * window]
    config = SamplingConfig(seed=2)
    assert write(model, tokenizer, long, 10, config) == write(
        model, tokenizer, long[-window:], 10, config
    )


def test_it_goes_on_from_any_ids_and_leaves_them_alone(model, tokenizer):
    ids = tokenizer.encode(tokenizer.characters[:3])
    written = list(generate(Decoder(model), tokenizer, ids, 6, GREEDY))
    assert ids == tokenizer.encode(tokenizer.characters[:3])
    branched = ids + [character.token for character in written[:4]]
    again = list(generate(Decoder(model), tokenizer, branched, 2, GREEDY))
    assert [c.token for c in again] == [c.token for c in written[4:]]


def test_an_empty_prompt_starts_from_a_newline(tokenizer):
    assert start_ids(tokenizer, "") == tokenizer.encode("\n")
    assert start_ids(CharTokenizer.from_text("ba"), "") == [0]


def test_an_unknown_character_is_named(tokenizer):
    with pytest.raises(UnknownCharacterError, match="'€'"):
        start_ids(tokenizer, tokenizer.characters[0] + "€")


def test_a_stream_is_computed_only_as_far_as_it_is_read(model, tokenizer):
    calls = []
    handle = model.register_forward_hook(lambda *_: calls.append(1))
    try:
        list(islice(stream(model, tokenizer, "\n", 1000, GREEDY), 3))
    finally:
        handle.remove()
    assert len(calls) == 3


def test_the_records_logits_give_the_probability_of_what_was_drawn(model, tokenizer):
    config = SamplingConfig(temperature=0.7, top_k=3, seed=8)
    for record in stream(model, tokenizer, "\n", 30, config):
        assert next_token_probs(record.logits, config)[record.token] > 0


def run(*args):
    return subprocess.run(
        [sys.executable, "-m", "microgpt", "generate", *args],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_the_command_passes_every_setting_on(tiny_checkpoint, tokenizer, capsys):
    settings = {
        name: type(setting.default)(sum(setting.limits) / 3)
        for name, setting in SAMPLING_SETTINGS.items()
    }
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    args = ["--checkpoint", str(tiny_checkpoint), "--tokens", "40", "--seed", "4", "--exact"]
    assert main(["generate", *args, *options]) == 0
    config = SamplingConfig(**settings, seed=4, exact=True)
    assert capsys.readouterr().out == "\n" + write(
        checkpoint.load(tiny_checkpoint).model, tokenizer, "\n", 40, config
    )


def test_the_command_prints_the_prompt_then_exactly_n_characters(tiny_checkpoint, tokenizer):
    prompt = tokenizer.characters[1:4]
    args = ["--checkpoint", str(tiny_checkpoint), "--prompt", prompt, "--tokens", "70"]
    done = run(*args, "--seed", "4", "--top-k", "5", "--temperature", "0.9")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(prompt)
    assert len(done.stdout) == len(prompt) + 70
    rate, unit = done.stderr.splitlines()[-1].split(" ", 1)
    assert float(rate) > 0 and unit == "characters/s"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--prompt", "\u20ac"], "'€'"),
        (["--temperature", "3"], "temperature is 3.0"),
        (["--tokens", "-1"], "--tokens is -1"),
    ],
)
def test_bad_input_is_one_sentence(tiny_checkpoint, capsys, args, says):
    assert main(["generate", "--checkpoint", str(tiny_checkpoint), *args]) == 2
    captured = capsys.readouterr()
    assert says in captured.err and captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1


@pytest.mark.parametrize("tokens", ["0", "1"])
def test_short_generations(tiny_checkpoint, capsys, tokens):
    assert main(["generate", "--checkpoint", str(tiny_checkpoint), "--tokens", tokens]) == 0
    assert len(capsys.readouterr().out) == 1 + int(tokens)


def start(*args: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "microgpt", "generate", *args]
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE)


ENDLESS = ("--tokens", "1000000")


def test_a_reader_who_has_enough_ends_it_quietly(tiny_checkpoint):
    with start("--checkpoint", str(tiny_checkpoint), *ENDLESS) as process:
        assert len(process.stdout.read(5)) == 5
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_an_interrupt_ends_it_in_one_line(tiny_checkpoint):
    with start("--checkpoint", str(tiny_checkpoint), *ENDLESS) as process:
        process.stdout.read(5)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr.read() == b"\ninterrupted\n"
    assert process.returncode == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_text_that_cannot_be_written_is_one_sentence(tiny_checkpoint):
    with open("/dev/full", "wb") as full:
        process = start("--checkpoint", str(tiny_checkpoint), stdout=full.fileno())
        _, error = process.communicate()
    assert error == b"error: cannot write the output: No space left on device\n"
    assert process.returncode == 2

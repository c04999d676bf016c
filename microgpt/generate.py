"""The stream of characters a model writes.

Run: python -m microgpt.generate --checkpoint DIR_OR_REPO --prompt TEXT --tokens 500
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from microgpt.checkpoint import CheckpointError
from microgpt.config import ConfigError
from microgpt.engine import Decoder
from microgpt.sampling import SamplingConfig, next_token_probs, sample
from microgpt.tokenizer import CharTokenizer, UnknownCharacterError

# Learned positions make a cache stale when the window slides, so of a full window the last part is
# read again, KEPT of it, and there is room to go on: the least that was measured to cost no more
# than 0.005 nats (tests/benchmarks/sliding.py).
KEPT = 1 / 8


@dataclass(frozen=True)
class GeneratedCharacter:
    """One character as it was written: its text, its id and the logits (V,) it was drawn from."""

    text: str
    token: int
    logits: Tensor


def start_ids(tokenizer: CharTokenizer, prompt: str) -> list[int]:
    """The ids a generation goes on from: the prompt's, or a newline's where the prompt is empty.

    A vocabulary without a newline starts from its first character. Raises UnknownCharacterError.
    """
    return tokenizer.encode(prompt) or [max(0, tokenizer.characters.find("\n"))]


def generate(
    decoder: Decoder,
    tokenizer: CharTokenizer,
    ids: Sequence[int],
    length: int,
    config: SamplingConfig,
) -> Iterator[GeneratedCharacter]:
    """Write `length` characters after the ids of a text, one at a time.

    The model sees at most its window: of a longer text the last part, and when the window is full
    KEPT of it, or with config.exact all of it, is read again from position 0. The decoder starts
    anew and must not be used for anything else until the stream ends.
    """
    ids = list(ids)
    window = decoder.config.block_size
    again = window if config.exact else max(1, int(KEPT * window))
    generator = torch.Generator().manual_seed(config.seed)
    seen = 0
    for _ in range(length):
        if 0 < seen < window:
            seen += 1
            logits = decoder.step(ids[-1])
        else:
            seen = min(len(ids), again if seen else window)
            logits = decoder.read(ids[-seen:])
        probs = next_token_probs(logits, config.temperature, config.top_k, config.top_p)
        token = sample(probs, generator)
        ids.append(token)
        yield GeneratedCharacter(tokenizer.decode([token]), token, logits)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m microgpt.generate",
        description="Write text after a prompt; the text goes to stdout, the rate to stderr.",
    )
    parser.add_argument("--checkpoint", required=True, help="a folder, or USER/NAME on the Hub")
    parser.add_argument("--prompt", default="\n", help="what to go on from (default: a newline)")
    parser.add_argument("--tokens", type=int, default=500, help="characters to write")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is greedy")
    parser.add_argument("--top-k", type=int, default=0, help="0 keeps every character")
    parser.add_argument("--top-p", type=float, default=1.0, help="1 keeps every character")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--exact",
        action="store_true",
        help="past the window read all of it anew for every character",
    )
    return parser.parse_args(argv)


def _write(prompt: str, stream: Iterator[GeneratedCharacter]) -> float:
    """Write a text to stdout as it comes and return its rate, characters/s. Raises OSError."""
    first = next(stream, None)
    sys.stdout.write(prompt + (first.text if first else ""))
    sys.stdout.flush()
    started, count = time.perf_counter(), 0
    for count, character in enumerate(stream, start=1):  # noqa: B007
        sys.stdout.write(character.text)
        sys.stdout.flush()
    return count / (time.perf_counter() - started)


def _run(args: argparse.Namespace) -> int:
    from microgpt.hub import HubError, open_checkpoint  # hub stands above this module

    try:
        config = SamplingConfig(args.temperature, args.top_k, args.top_p, args.seed, args.exact)
        if args.tokens < 0:
            raise ConfigError(f"--tokens is {args.tokens}; it must be 0 or more")
        loaded = open_checkpoint(args.checkpoint).checkpoint
        ids = start_ids(loaded.tokenizer, args.prompt)
        decoder = loaded.engine.decoder()
        stream = generate(decoder, loaded.tokenizer, ids, args.tokens, config)
    except (CheckpointError, ConfigError, HubError, UnknownCharacterError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        rate = _write(args.prompt, stream)
    except OSError as error:
        # What is still in the buffer goes nowhere, or Python would fail on it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # the reader has enough, as `head` has
            return 141  # what the shell says of a program that SIGPIPE ends
        print(f"error: cannot write the text: {error.strerror}", file=sys.stderr)
        return 2
    print(f"\n{rate:.1f} characters/s", file=sys.stderr)
    return 0


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    try:
        return _run(args)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

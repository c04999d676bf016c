"""Write text after a prompt.

The text goes to stdout, the speed to stderr. The same checkpoint, prompt, settings and seed give
the same text.
"""

import argparse
import sys
import time
from collections.abc import Iterator

from microgpt.cli.arguments import add_checkpoint, open_checkpoint
from microgpt.config import ConfigError
from microgpt.engine import Engine
from microgpt.generate import GeneratedCharacter, generate, start_ids
from microgpt.sampling import SAMPLING_SETTINGS, SamplingConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_checkpoint(parser)
    parser.add_argument(
        "--prompt",
        default="",
        metavar="TEXT",
        help="the text to continue (default: a newline, or the first character of the vocabulary "
        "if that has no newline)",
    )
    parser.add_argument(
        "--tokens",
        type=int,
        default=500,
        metavar="N",
        help="how many characters to write (default: %(default)s)",
    )
    for name, setting in SAMPLING_SETTINGS.items():
        keeps_all = f"; {setting.default:g} keeps all" if setting.filter else ""
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(setting.default),
            default=setting.default,
            help=f"{setting.help}{keeps_all} (default: {setting.default:g})",
        )
    parser.add_argument(
        "--seed",
        type=int,
        default=SamplingConfig().seed,
        help="seed of the random draws (default: %(default)s)",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        help="when the text is longer than the context window, recompute the whole window for "
        "each character, as the original does; much slower",
    )


def run(args: argparse.Namespace) -> int:
    settings = {name: getattr(args, name) for name in SAMPLING_SETTINGS}
    config = SamplingConfig(**settings, seed=args.seed, exact=args.exact)
    if args.tokens < 0:
        raise ConfigError(f"--tokens is {args.tokens}; it must be 0 or more")
    checkpoint = open_checkpoint(args.checkpoint)
    ids = start_ids(checkpoint.tokenizer, args.prompt)
    decoder = Engine(checkpoint.model).decoder()
    stream = generate(decoder, checkpoint.tokenizer, ids, args.tokens, config)
    try:
        rate = _write(checkpoint.tokenizer.decode(ids), stream)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the text may have stopped in the middle of a line
        raise
    print(f"\n{rate:.1f} characters/s", file=sys.stderr)
    return 0


def _write(start: str, stream: Iterator[GeneratedCharacter]) -> float:
    """Write the text to stdout as it is generated, after its start; return characters/s.

    Raises OSError.
    """
    first = next(stream, None)
    sys.stdout.write(start + (first.text if first else ""))
    sys.stdout.flush()
    started, count = time.perf_counter(), 0
    for count, character in enumerate(stream, start=1):  # noqa: B007
        sys.stdout.write(character.text)
        sys.stdout.flush()
    return count / (time.perf_counter() - started)

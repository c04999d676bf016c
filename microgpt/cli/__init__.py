"""The command line: one module per command, which calls the library with its arguments.

Run: python -m microgpt COMMAND --help
"""

import argparse
import codecs
import importlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from keyword import iskeyword

from microgpt import __version__
from microgpt.errors import MicroGPTError, lacks_memory

# The module of each command has add_arguments(parser) and run(args) -> exit code.
COMMANDS = {
    "train": "train a model on a text and write its checkpoint",
    "generate": "write text after a prompt",
    "translate": "translate a text, such as a date, with an encoder–decoder",
    "evaluate": "measure the loss of a checkpoint over the validation split",
    "baselines": "fit the baselines to a text and measure their validation losses",
    "heads": "measure what each attention head of a checkpoint attends to",
    "context": "measure the loss of the end of a text by context length",
    "snapshots": "recompute the snapshots of a training run, over any passage",
    "export": "write a checkpoint in the format of another library",
    "import": "make a checkpoint from a model of nanoGPT, minGPT or transformers",
    "publish": "upload a checkpoint to the Hugging Face Hub",
    "runs": "print the table of the training runs kept in assets/runs/",
}
_BROKEN_PIPE = 128 + 13  # the exit code that a shell reports after SIGPIPE


def parser_for(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of all commands, with the arguments of one of them.

    Only the module of that command is imported, because its libraries may take seconds to load.
    """
    parser = argparse.ArgumentParser(
        prog="microgpt",
        description="Train a small GPT, generate text with it and measure it.",
        epilog="`microgpt COMMAND --help` describes the arguments of a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"microgpt {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, about in COMMANDS.items():
        # No abbreviations: a checkpoint records the command that made it, with full option names.
        sub = commands.add_parser(name, help=about, allow_abbrev=False)
        if name == command:
            # A module cannot have the name of a keyword.
            module = importlib.import_module(f"microgpt.cli.{name}{'_' * iskeyword(name)}")
            sub.description = module.__doc__
            sub.formatter_class = argparse.RawDescriptionHelpFormatter
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    The code is 0 for success, 2 for an error that the user can correct, 130 after Ctrl-C, and 141
    if the reader of stdout has closed it. For invalid arguments, argparse exits with code 2.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as `>&-` does
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    with _replacing_characters():
        return _main(argv)


def _main(argv: list[str]) -> int:
    parser = parser_for(argv[0] if argv else None)
    args = parser.parse_args(argv)
    args.argv = argv
    try:
        code = args.run(args)
        sys.stdout.flush()  # so that a full disk or a closed pipe raises here, not after main
        return code
    except MicroGPTError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _discard_stdout()
        return _BROKEN_PIPE
    except OSError as error:
        _discard_stdout()
        where = error.filename or "cannot write the output"
        return _fail(f"{where}: {error.strerror or error}")
    except Exception as error:
        if message := _out_of_memory(error):
            return _fail(message)
        raise


@contextmanager
def _replacing_characters() -> Iterator[None]:
    """Print "?" for each character that the encoding of stdout lacks; at the end, say so.

    The bytes of a path that is not UTF-8 are printed unchanged.
    """
    missing = False

    def replace(error: UnicodeError) -> tuple[str | bytes, int]:
        nonlocal missing
        # A byte of a path that is not UTF-8 is a lone surrogate in Python; write it as it is.
        with suppress(UnicodeError):
            return codecs.lookup_error("surrogateescape")(error)
        missing = True
        return codecs.replace_errors(error)

    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("microgpt", replace)
        sys.stdout.reconfigure(errors="microgpt")
    try:
        yield
    finally:
        if missing:
            print(
                f"note: the encoding of the output, {sys.stdout.encoding}, lacks some characters, "
                'so "?" is written for them; set PYTHONUTF8=1 for UTF-8',
                file=sys.stderr,
            )


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def _discard_stdout() -> None:
    """Send buffered output to the null device; otherwise Python would fail on it again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _out_of_memory(error: Exception) -> str | None:
    """Return the message for a device without free memory, None for any other error."""
    if lacks_memory(error):
        return "there is too little free memory; use a smaller model or a smaller batch_size"
    import torch  # imported late, because it takes seconds

    from microgpt.device import OUT_OF_MEMORY

    return OUT_OF_MEMORY if isinstance(error, torch.OutOfMemoryError) else None

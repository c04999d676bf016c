"""The command line: one module per command, whose arguments become one call of the library.

Run: python -m microgpt COMMAND --help
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from microgpt.errors import MicroGPTError

# Each command's module has add_arguments(parser) and run(args) -> exit code.
COMMANDS = {
    "train": "train a model on any text",
    "generate": "write text after a prompt",
    "evaluate": "print a checkpoint's loss over the validation split",
    "heads": "print what each head of a checkpoint attends to",
    "publish": "put a checkpoint on the Hugging Face Hub",
    "runs": "print a table of the runs that are kept with the code",
}


def parser_for(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands, with the arguments of one of them.

    Only that command's module is imported, since each may need seconds to load its libraries.
    """
    parser = argparse.ArgumentParser(prog="microgpt", description="A small GPT from scratch.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, about in COMMANDS.items():
        sub = commands.add_parser(name, help=about)
        if name == command:
            module = importlib.import_module(f"microgpt.cli.{name}")
            sub.description = module.__doc__
            sub.formatter_class = argparse.RawDescriptionHelpFormatter
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code: 2 for what a person can mend, 130 after Ctrl-C."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = parser_for(argv[0] if argv else None)
    args = parser.parse_args(argv)
    args.argv = argv
    try:
        return args.run(args)
    except MicroGPTError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if message := _out_of_memory(error):
            print(f"error: {message}", file=sys.stderr)
            return 2
        raise


def _out_of_memory(error: Exception) -> str | None:
    """What to say when the GPU is full; None for any other error."""
    import torch  # after the command has loaded it, or not at all

    from microgpt.device import OUT_OF_MEMORY

    return OUT_OF_MEMORY if isinstance(error, torch.OutOfMemoryError) else None

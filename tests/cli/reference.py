"""Write docs/cli.md, the help of every command. Run: python -m tests.cli.reference

It is made from the arguments themselves, because the layout of argparse's help differs between
versions of Python.
"""

import argparse
from pathlib import Path

from microgpt.cli import COMMANDS, parser_for

PATH = Path(__file__).parents[2] / "docs" / "cli.md"


def command_parser(command: str) -> argparse.ArgumentParser:
    """The parser of the arguments of one command."""
    (subparsers,) = (a for a in parser_for(command)._actions if a.dest == "command")
    return subparsers.choices[command]


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """All arguments of a parser except --help."""
    return [action for action in parser._actions if action.dest != "help"]


def markdown() -> str:
    """The content of docs/cli.md."""
    parts = [
        "# Commands\n",
        "`python -m microgpt COMMAND` runs a command from a checkout, `microgpt COMMAND` after "
        "`pip install -e .`.\nExit codes: 0 for success, 2 for an error that the user can correct, "
        "130 after Ctrl-C.\n",
        "This page is written by `python -m tests.cli.reference`.\n",
        *(f"- [`{name}`](#{name}): {about}" for name, about in COMMANDS.items()),
    ]
    for name in COMMANDS:
        parser = command_parser(name)
        parts.append(f"\n## {name}\n\n{parser.description.strip()}\n")
        parts += [_item(parser, action) for action in arguments(parser)]
    return "\n".join(parts) + "\n"


def _item(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    help_text = parser._get_formatter()._expand_help(action)
    required = " **Required.**" if action.required else ""
    if not action.option_strings:
        return f"- `{action.metavar}`: {help_text}"
    return f"- `{action.option_strings[-1]}{value}`:{required} {help_text}"


if __name__ == "__main__":
    PATH.write_text(markdown(), encoding="utf-8", newline="")

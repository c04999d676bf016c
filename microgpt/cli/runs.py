"""Print the table of the training runs in assets/runs/, as Markdown, as in the README."""

import argparse

from microgpt.checkpoint.runs import bundled_runs, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no arguments."""


def run(args: argparse.Namespace) -> int:
    print(table(bundled_runs()))
    return 0

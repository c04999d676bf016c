"""Print the README's table of the runs that are kept with the code."""

import argparse

from microgpt.checkpoint.runs import kept_runs, table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(args: argparse.Namespace) -> int:
    print(table(kept_runs()))
    return 0

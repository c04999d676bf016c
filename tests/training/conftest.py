"""A finished run, which several modules look at."""

from pathlib import Path

import pytest

from microgpt.cli import main
from tests.training.small_run import arguments


@pytest.fixture(scope="module")
def trained(corpus_file, tmp_path_factory) -> Path:
    """A checkpoint folder that the command line wrote."""
    out = tmp_path_factory.mktemp("runs") / "words"
    assert main(arguments(corpus_file, out)) == 0
    return out

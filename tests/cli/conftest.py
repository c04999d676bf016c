from collections.abc import Callable

import pytest

from microgpt.cli import main


@pytest.fixture
def command_error(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must exit with code 2; return the one line of its error."""

    def run(*arguments: object) -> str:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 2
        out, err = capsys.readouterr()
        *progress, error = err.splitlines()
        assert out == "" and error.startswith("error: ")
        assert all("%|" in line for line in progress if line)
        return error

    return run

import subprocess
import sys
from pathlib import Path

import pytest

from microgpt.cli import COMMANDS, main
from tests.cli import reference

ROOT = Path(__file__).parents[2]


def test_the_documented_reference_is_current():
    kept = reference.PATH.read_text(encoding="utf-8")
    assert kept == reference.markdown(), "run: python -m tests.cli.reference"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_argument_names_its_default(command):
    for action in reference.arguments(reference.command_parser(command)):
        assert action.help, action.dest
        if not action.required and action.nargs != 0 and action.default != []:
            assert "(default: " in action.help, action.dest


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_prints_its_help(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: microgpt {command}")
    for action in reference.arguments(reference.command_parser(command)):
        assert (action.option_strings or [action.metavar])[-1] in printed


def test_the_list_of_commands_is_printed_without_torch():
    code = "import sys; from microgpt.cli import main\n"
    code += "try: main(['--help'])\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(f"    {command}" in done.stdout for command in COMMANDS)

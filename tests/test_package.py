"""What pyproject.toml, the README and CONTRIBUTING.md promise."""

import importlib
import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from microgpt import checkpoint
from microgpt.cli import parser_for

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_installed_command_exists():
    module, _, name = PYPROJECT["project"]["scripts"]["microgpt"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_every_file_of_the_package_is_installed():
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["*"]
    for path in (ROOT / "microgpt").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert any(fnmatch(path.name, each) for each in ["*.py", *patterns]), path
    assert (ROOT / "microgpt" / "py.typed").exists()


def test_every_module_has_a_test_file():
    package = ROOT / "microgpt"
    for path in package.rglob("*.py"):
        module = path.relative_to(package)
        if module.name in ("__init__.py", "__main__.py", "errors.py"):
            continue
        # A browser component has its own folder; its test does not.
        folder = module.parent.parent if module.parent.name == module.stem else module.parent
        assert (ROOT / "tests" / folder / f"test_{module.name}").exists(), module


def test_the_example_in_the_readme_runs(
    corpus: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("my.txt").write_text(corpus, encoding="utf-8", newline="")
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "step 100: validation loss" in printed
    assert len(printed.splitlines()[-1]) > 0
    made, copied = (checkpoint.load(Path("runs") / name) for name in ("small", "copy"))
    assert made.training.val_loss_full < made.loss_record[0].val_loss
    assert copied.weights_sha256 == made.weights_sha256
    assert copied.head_scores is not None and copied.snapshots is not None


def test_the_commands_in_the_readme_are_valid():
    """The words after `python -m microgpt` parse; nothing is run."""
    lines = re.findall(r"-m microgpt (.+)", README)
    commands = [shlex.split(line.split("`")[0]) for line in lines]
    assert len(commands) > 5
    for words in commands:
        if "…" not in words:
            parser_for(words[0]).parse_args(words)

"""The unit of losses is written in one way on all pages."""

import re
from pathlib import Path

import pytest

import microgpt.ui

ROOT = Path(microgpt.ui.__file__).parent
FILES = [each for each in ROOT.rglob("*") if each.suffix in (".py", ".js", ".html")]
# "nats" alone is the unit of surprisal, entropy and divergence.
OTHER_WAYS = re.compile(
    r"nats?/char|(loss|estimate|gap|validation|training|ours|original)[^\n\"'<(]*\(nats\)", re.I
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_losses_are_in_nats_per_character(file):
    assert not OTHER_WAYS.search(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", ["Loss (nats)", "2.1 nats/character", "Best estimate (nats)"])
def test_another_unit_is_found(text):
    assert OTHER_WAYS.search(text)

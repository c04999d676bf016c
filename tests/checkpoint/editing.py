"""Change the files of a checkpoint folder, as its author or an attacker could."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from microgpt.checkpoint import CONFIG, sha256

UNREADABLE = Path("/proc/self/mem")  # nobody, not even root, can read it from its start
needs_unreadable_file = pytest.mark.skipif(not UNREADABLE.exists(), reason="needs Linux's /proc")


def edit_config(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the values in config.json in place."""
    path = folder / CONFIG
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    path.write_text(json.dumps(values), encoding="utf-8")


def update_hashes(folder: Path) -> None:
    """Set every hash in config.json to that of the file in the folder."""

    def change(values: dict[str, Any]) -> None:
        hashes = values["sha256"]
        hashes |= {name: sha256(folder / name) for name in hashes if (folder / name).is_file()}

    edit_config(folder, change)

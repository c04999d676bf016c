import re
import subprocess
import sys
from pathlib import Path

from microgpt import checkpoint, hub
from microgpt.cli import main
from tests.loopback_hub import running

ROOT = Path(__file__).parents[2]
REPO = "someone/small-model"


def test_a_checkpoint_is_published_and_can_be_loaded(tiny_checkpoint, tmp_path, monkeypatch):
    with running(monkeypatch) as server:
        command = [sys.executable, "-m", "microgpt", "publish"]
        command += ["--checkpoint", str(tiny_checkpoint), "--repo", REPO]
        done = subprocess.run(
            command,
            env=server.environment(tmp_path / "home"),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        commit = re.search(r"commit ([0-9a-f]{40})", done.stdout)[1]
        loaded = hub.load(REPO, token=False, cache_dir=tmp_path / "cache", endpoint=server.url)
    assert loaded.origin.commit == commit
    assert loaded.weights_sha256 == checkpoint.load(tiny_checkpoint).weights_sha256


def test_a_dry_run_lists_the_files(tiny_checkpoint, capsys):
    arguments = ["--checkpoint", str(tiny_checkpoint), "--repo", REPO, "--dry-run"]
    assert main(["publish", *arguments]) == 0
    *files, total = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in files] == list(checkpoint.FILES)
    assert total.endswith(f"bytes would be uploaded to {REPO} as one commit")


def test_a_folder_without_a_checkpoint_is_an_error(tmp_path, command_error):
    error = command_error("publish", "--checkpoint", tmp_path, "--repo", REPO, "--dry-run")
    assert "config.json is missing" in error

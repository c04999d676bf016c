import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt import checkpoint, hub
from microgpt.checkpoint import CONFIG, TOKENIZER, WEIGHTS
from microgpt.hub import copies
from tests.folders import GPT_PARTS
from tests.hub.fetching import REPO, cached_files, copy_of, error, loaded

ROOT = Path(__file__).parents[2]
# The optional files that this version writes.


def test_only_the_files_of_a_checkpoint_are_downloaded(server, files, start_fetch, cache):
    server.add(REPO, {**files, "state.pt": b"x", "config.json.bak": b"x"})
    loaded(start_fetch())
    assert {path.name for path in cached_files(cache)} == {*checkpoint.FILES, "main"}
    assert {Path(request.path).name for request in server.requests} == set(checkpoint.FILES)


def test_all_files_come_from_the_same_commit(server, tiny_checkpoint, start_fetch):
    commit = server.add(REPO, tiny_checkpoint)
    loaded(start_fetch())
    revisions = [request.path.split("/")[4] for request in server.requests]
    assert revisions == ["main"] + [commit] * (len(revisions) - 1)


def test_a_copy_is_not_downloaded_again(server, tiny_checkpoint, start_fetch):
    commit = server.add(REPO, tiny_checkpoint)
    loaded(start_fetch())
    loaded(start_fetch())
    assert server.count("GET", WEIGHTS) == 1
    server.close()
    assert loaded(start_fetch(f"{REPO}@{commit}")).origin.commit == commit
    assert "cannot be reached" in error(start_fetch())


@pytest.mark.parametrize("name", list(checkpoint.FILES))
def test_a_missing_file_is_an_error(server, files, start_fetch, name):
    del files[name]
    server.add(REPO, files)
    assert f"not a microGPT checkpoint: {name} is missing" in error(start_fetch())
    assert server.count("GET", WEIGHTS) == 0


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("truncate", f"broke before {WEIGHTS} was complete"),
        ("wrong bytes", "is damaged: its SHA-256"),
    ],
)
def test_damaged_weights_are_refused_and_not_kept(
    server, tiny_checkpoint, start_fetch, cache, fault, message
):
    server.add(REPO, tiny_checkpoint)
    server.fail(fault, "GET", WEIGHTS)
    assert message in error(start_fetch())
    assert cached_files(cache) == []
    server.heal()
    loaded(start_fetch())


def test_a_failed_update_leaves_the_old_copy(server, tiny_checkpoint, start_fetch, cache):
    old = server.add(REPO, tiny_checkpoint)
    loaded(start_fetch())
    server.add(REPO, tiny_checkpoint)
    server.fail("wrong bytes", "GET", WEIGHTS)
    assert "is damaged" in error(start_fetch())
    assert hub.cached(hub.RepoRef(REPO), cache).origin.commit == old


def test_a_failed_download_uses_the_copy_that_another_process_made(
    server, tiny_checkpoint, slow_fetch, cache
):
    commit = server.repos[REPO].branches["main"]
    shutil.copytree(tiny_checkpoint, copies.copy_folder(cache, REPO, commit))
    server.released.set()  # this also cuts the slow response short
    assert loaded(slow_fetch).origin.commit == commit


def test_a_killed_download_leaves_no_copy(server, tiny_checkpoint, start_fetch, tmp_path):
    cache = tmp_path / "home" / "cache" / "hub"
    server.add(REPO, tiny_checkpoint)
    server.fail("slow", "GET", WEIGHTS)
    code = f"from microgpt import hub; hub.load({REPO!r})"
    environment = server.environment(tmp_path / "home")
    with subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT) as process:
        assert server.trickling.wait(60)
        process.kill()
    server.released.set()
    server.heal()
    assert cached_files(cache) != []
    assert hub.cached(hub.RepoRef(REPO), cache) is None
    got = loaded(start_fetch(cache_dir=cache))
    assert set(cached_files(cache)) == {
        *copy_of(got, cache).iterdir(),
        cache / "someone--small-model" / "refs" / "main",
    }


# Checkpoints that are refused before their weights are downloaded.


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (b'{"architectures": ["GPT2LMHeadModel"]}', 'does not say "microGPT"'),
        (b"<html>", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
    ],
    ids=["another model", "HTML", "nested too deeply"],
)
def test_another_config_is_refused(server, files, start_fetch, config, message):
    server.add(REPO, {**files, CONFIG: config})
    assert message in error(start_fetch())
    assert server.count("GET", WEIGHTS) == 0


def test_a_config_beyond_the_limits_is_refused(server, files, start_fetch):
    config = json.loads(files[CONFIG])
    config["model"]["n_layer"] = 10**6
    server.add(REPO, {**files, CONFIG: json.dumps(config).encode()})
    assert "n_layer is 1000000; it must be between 1 and 48" in error(start_fetch())
    assert server.count("GET", WEIGHTS) == 0


def test_an_error_that_quotes_a_file_is_short(server, files, start_fetch):
    config = json.loads(files[CONFIG])
    config["model"]["x\n" * 10_000] = 1
    server.add(REPO, {**files, CONFIG: json.dumps(config).encode()})
    message = error(start_fetch())
    assert "cannot be used: unknown setting" in message
    assert len(message) < 400


def test_a_vocabulary_of_another_size_is_refused(server, files, start_fetch):
    config = json.loads(files[CONFIG])
    files[TOKENIZER] = b'{"characters": "abc"}'
    config["sha256"][TOKENIZER] = hashlib.sha256(files[TOKENIZER]).hexdigest()
    server.add(REPO, {**files, CONFIG: json.dumps(config).encode()})
    assert "the vocabulary has 3 characters" in error(start_fetch())


@pytest.mark.parametrize("name", ["pytorch_model.bin", "ckpt.pt"])
def test_a_pickle_in_place_of_the_weights_is_refused(server, files, start_fetch, name):
    files[name] = files.pop(WEIGHTS)
    server.add(REPO, files)
    assert f"are in {name}, a pickle" in error(start_fetch())
    assert server.count("GET", name) == 0


@pytest.mark.parametrize("name", list(checkpoint.FILES))
def test_a_file_that_is_too_large_is_not_downloaded(server, tiny_checkpoint, start_fetch, name):
    server.add(REPO, tiny_checkpoint)
    size = checkpoint.FILES[name] + 1
    server.sizes[name] = size
    assert f"{name} of {REPO} has {size:,} bytes" in error(start_fetch())
    assert server.count("GET", name) == 0
    assert server.count("GET", WEIGHTS) == 0


def test_a_file_longer_than_its_announced_size_is_refused(server, tiny_checkpoint, start_fetch):
    server.add(REPO, tiny_checkpoint)
    server.sizes[WEIGHTS] = 5000
    assert "longer than the Hub said" in error(start_fetch())


# Optional files that cannot be used are left out.


@pytest.mark.parametrize("name", GPT_PARTS)
def test_a_missing_optional_file_is_left_out(server, full_checkpoint, start_fetch, name):
    (full_checkpoint / name).unlink()
    server.add(REPO, full_checkpoint)
    got = loaded(start_fetch())
    assert (got.baselines is None) == (name == checkpoint.BASELINES)
    assert (got.snapshots is None) == (name == checkpoint.SNAPSHOTS)
    assert (got.head_scores is None) == (name == checkpoint.HEAD_SCORES)
    assert got.notes == (f"{name} is listed in config.json but not in the folder",)


@pytest.mark.parametrize("name", list(checkpoint.OPTIONAL))
def test_an_optional_file_that_the_config_does_not_list_is_not_downloaded(
    server, files, start_fetch, name
):
    server.add(REPO, {**files, name: b"notes of someone else"})
    loaded(start_fetch())
    assert server.count("HEAD", name) == server.count("GET", name) == 0


@pytest.mark.parametrize("name", GPT_PARTS)
def test_a_checkpoint_with_a_damaged_optional_file_is_not_kept(
    server, full_checkpoint, start_fetch, cache, name
):
    server.add(REPO, full_checkpoint)
    server.fail("wrong bytes", "GET", name)
    (note,) = loaded(start_fetch()).notes
    assert note.startswith(f"{name} is damaged: its SHA-256")
    assert not [path for path in cached_files(cache) if path.name in checkpoint.FILES]
    server.heal()
    assert loaded(start_fetch()).notes == ()


@pytest.mark.parametrize("name", GPT_PARTS)
def test_an_optional_file_that_is_too_large_is_left_out(server, full_checkpoint, start_fetch, name):
    server.add(REPO, full_checkpoint)
    server.sizes[name] = checkpoint.OPTIONAL[name] + 1
    note = f"{name} is listed in config.json but not in the folder"
    assert loaded(start_fetch()).notes == (note,)
    assert server.count("GET", name) == 0


def test_a_branch_whose_name_is_too_long_for_a_file_is_loaded(server, tiny_checkpoint, start_fetch):
    branch = "a/" * 99 + "a"  # a slash takes three characters in the name of a file
    commit = server.add(REPO, tiny_checkpoint, branch)
    assert loaded(start_fetch(f"{REPO}@{branch}")).origin.commit == commit

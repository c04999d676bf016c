import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils._xet_progress_reporting import XetDownloadProgressReporter

from microgpt import atomic, checkpoint, hub
from microgpt.analysis.baselines import Baselines
from microgpt.analysis.head_scores import KINDS, HeadScores
from microgpt.checkpoint import Checkpoint, CheckpointError
from microgpt.checkpoint.snapshots import Snapshots
from microgpt.cli import main
from microgpt.cli.arguments import open_checkpoint
from microgpt.hub import copies, download, fetch
from tests.loopback_hub import TOKEN, LoopbackHub, running

REPO = "someone/small-model"
# The optional files that are written now.
OPTIONAL = [name for name in checkpoint.OPTIONAL if name != checkpoint.EVOLUTION]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tiny_checkpoint: Path) -> Path:
    return tiny_checkpoint


@pytest.fixture
def files(folder: Path) -> dict[str, bytes]:
    """The bytes of each file of a good checkpoint, to be spoiled."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with running(monkeypatch) as server:
        yield server


@pytest.fixture
def fetching(server: LoopbackHub, tmp_path: Path):
    """Starts a fetch from the loopback Hub into a cache of the test's own."""

    def start(ref: str = REPO, **options) -> hub.Fetch:
        options = {"token": False, "cache_dir": tmp_path / "cache", **options}
        return hub.Fetch(hub.parse_repo(ref), endpoint=server.url, **options)

    return start


def loaded(fetching: hub.Fetch) -> Checkpoint:
    assert fetching.wait()
    assert fetching.error is None, fetching.error
    return fetching.loaded


def failure(fetching: hub.Fetch) -> str:
    """Why a fetch ended: one sentence."""
    assert fetching.wait()
    assert fetching.loaded is None
    message = str(fetching.error)
    assert "\n" not in message and "Error" not in message
    return message


def copy_of(loaded: Checkpoint, cache: Path) -> Path:
    """The folder in the cache that a checkpoint is kept in."""
    return cache / loaded.origin.name.replace("/", "--") / loaded.origin.commit


def left_in(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()] if cache.exists() else []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b", hub.RepoRef("a/b")),
        ("  a.b_c/d-e \n", hub.RepoRef("a.b_c/d-e")),
        ("a/b@v1.0", hub.RepoRef("a/b", "v1.0")),
        ("a/b@feature/x", hub.RepoRef("a/b", "feature/x")),
        ("https://huggingface.co/a/b", hub.RepoRef("a/b")),
        ("https://huggingface.co/a/b/tree/v1.0", hub.RepoRef("a/b", "v1.0")),
    ],
)
def test_a_repo_is_read_from_its_name_or_its_page(text: str, expected: hub.RepoRef):
    assert hub.parse_repo(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpt2",
        "a/b/c",
        "a/../b",
        "/a",
        "a b/c",
        "a/b@",
        "a/b@..",
        "a/b@../../etc",
        "a/b@/etc/passwd",
        "a/b@x y",
        "https://example.com/a/b",
        "https://huggingface.co/datasets/a/b",
        "https://[a/b",
        "x" * 10_000,
    ],
)
def test_what_names_no_repo_is_refused_in_a_sentence(text: str):
    with pytest.raises(hub.HubError, match="write user/name") as caught:
        hub.parse_repo(text)
    assert len(str(caught.value)) < 200


def test_the_operator_chooses_a_folder_before_a_repo_before_the_bundle():
    repo = {"MICROGPT_REPO": "a/b@c"}
    assert hub.operator_choice({}) is None
    assert hub.operator_choice(repo) == hub.RepoRef("a/b", "c")
    assert hub.operator_choice({**repo, "MICROGPT_CHECKPOINT": " runs/x "}) == Path("runs/x")
    with pytest.raises(hub.HubError):
        hub.operator_choice({"MICROGPT_REPO": "nonsense"})


def test_a_home_folder_of_nobody_is_refused_in_a_sentence():
    with pytest.raises(hub.HubError, match=r"'~nouser/x'.* write the full path"):
        hub.operator_choice({"MICROGPT_CHECKPOINT": "~nouser/x"})


def test_a_checkpoint_arrives_whole_with_its_origin(server, folder, tmp_path):
    commit = server.add(REPO, folder)
    seen = []
    got = hub.load(
        REPO,
        token=False,
        cache_dir=tmp_path,
        progress=lambda done, total: seen.append((done, total)),
        endpoint=server.url,
    )
    assert got.origin == hub.Origin("hub", REPO, commit)
    assert got.training.steps == 20
    expected = checkpoint.load(folder).model.state_dict()
    for name, tensor in got.model.state_dict().items():
        assert torch.equal(tensor, expected[name])
    total = sum(path.stat().st_size for path in folder.iterdir())
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)


def test_only_the_files_of_a_checkpoint_are_fetched(server, files, fetching, tmp_path):
    server.add(REPO, {**files, "state.pt": b"x", "config.json.bak": b"x"})
    loaded(fetching())
    assert {path.name for path in left_in(tmp_path / "cache")} == {*checkpoint.FILES, "main"}
    asked = {Path(request.path).name for request in server.requests}
    assert asked == set(checkpoint.FILES)


def test_every_file_is_pinned_to_the_commit_that_was_resolved(server, folder, fetching):
    commit = server.add(REPO, folder)
    loaded(fetching())
    revisions = [request.path.split("/")[4] for request in server.requests]
    assert revisions == ["main"] + [commit] * (len(revisions) - 1)


def test_revisions_are_told_apart(server, folder, tmp_path, fetching):
    first = server.add(REPO, folder)
    second = server.add(REPO, folder)
    other = server.add(REPO, folder, branch="feature/x")
    assert loaded(fetching()).origin.commit == second
    assert loaded(fetching(f"{REPO}@{first}")).origin.commit == first
    assert loaded(fetching(f"{REPO}@feature/x")).origin.commit == other
    server.close()
    cache = tmp_path / "cache"
    for revision, commit in ((None, second), (first, first), ("feature/x", other)):
        assert hub.cached(hub.RepoRef(REPO, revision), cache).origin.commit == commit
    assert hub.cached(hub.RepoRef(REPO, "v9"), cache) is None
    assert hub.cached(hub.RepoRef("someone/else"), cache) is None


def test_a_copy_is_not_downloaded_again(server, folder, fetching):
    commit = server.add(REPO, folder)
    loaded(fetching())
    loaded(fetching())
    assert server.asked("GET", checkpoint.WEIGHTS) == 1
    server.close()
    assert loaded(fetching(f"{REPO}@{commit}")).origin.commit == commit
    assert "cannot be reached" in failure(fetching())


def test_a_copy_that_was_damaged_on_disk_is_replaced(server, folder, fetching, tmp_path):
    server.add(REPO, folder)
    weights = copy_of(loaded(fetching()), tmp_path / "cache") / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1])
    assert hub.cached(hub.RepoRef(REPO), tmp_path / "cache") is None
    loaded(fetching())
    assert hub.cached(hub.RepoRef(REPO), tmp_path / "cache") is not None


def test_the_hosts_token_is_not_sent_for_a_stranger(server, folder, fetching, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    server.add(REPO, folder)
    loaded(fetching(token=False))
    assert {request.authorization for request in server.requests} == {None}
    server.requests.clear()
    loaded(fetching(token=None))
    assert {request.authorization for request in server.requests} == {f"Bearer {TOKEN}"}


def test_a_hub_that_refuses(server, folder, fetching):
    server.add(REPO, folder)
    server.close()
    assert "cannot be reached" in failure(fetching())


def test_a_hub_that_hangs(server, folder, fetching, monkeypatch):
    server.add(REPO, folder)
    server.fail("hang")
    monkeypatch.setattr(fetch, "ANSWER_S", 0.2)
    assert "did not answer within 0.2 s" in failure(fetching())


def test_a_hub_that_hangs_is_given_up_by_the_client_too(server, folder, fetching, monkeypatch):
    server.add(REPO, folder)
    server.fail("hang")
    monkeypatch.setattr(download, "PROBE_S", 0.2)
    monkeypatch.setattr(fetch, "ANSWER_S", 60.0)
    assert "did not answer in time" in failure(fetching())


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_hub_that_is_unavailable(server, folder, fetching, method):
    server.add(REPO, folder)
    server.fail("503", method)
    assert "answered '503 Service Unavailable'" in failure(fetching())


def test_a_hub_that_hangs_up(server, folder, fetching):
    server.add(REPO, folder)
    server.fail("disconnect")
    assert "broke before config.json was complete" in failure(fetching())


def test_a_server_that_is_no_hub(server, fetching):
    server.fail("not a hub")
    assert "check HF_ENDPOINT" in failure(fetching())


def test_an_address_that_is_none(fetching, server, tmp_path):
    nowhere = hub.Fetch(hub.parse_repo(REPO), cache_dir=tmp_path, token=False, endpoint="nowhere")
    assert "check HF_ENDPOINT" in failure(nowhere)


def test_a_slow_download_ends_at_its_deadline_and_leaves_nothing(
    server, folder, fetching, tmp_path
):
    server.add(REPO, folder)
    server.fail("slow", "GET", checkpoint.WEIGHTS)
    slow = fetching(deadline_s=1.0)
    assert " within 1 s" in failure(slow)
    server.released.set()
    slow._thread.join(30)
    assert not slow._thread.is_alive()
    assert left_in(tmp_path / "cache") == []


def test_a_slow_download_shows_its_progress(server, folder, fetching):
    server.add(REPO, folder)
    server.fail("slow", "GET", checkpoint.WEIGHTS)
    slow = fetching()
    assert server.trickling.wait(30)
    assert not slow.done and slow.loaded is None and slow.error is None
    assert 0 < slow.bytes_done < slow.bytes_total
    server.released.set()


@pytest.fixture
def slow_by_xet(server, folder, fetching, monkeypatch) -> hub.Fetch:
    """A fetch through Xet that has half of the weights, until server.released is set."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    server.xet = True
    server.add(REPO, folder)
    server.fail("slow", "GET", checkpoint.WEIGHTS)
    slow = fetching()
    assert server.trickling.wait(30)
    return slow


def test_a_download_through_xet(server, folder, slow_by_xet, capfd):
    slow = slow_by_xet
    # What came on the wire is more than the file; the bytes of the file are what counts.
    half = (folder / checkpoint.WEIGHTS).stat().st_size // 2
    assert slow.bytes_done == (folder / checkpoint.CONFIG).stat().st_size + sum(
        [(folder / checkpoint.TOKENIZER).stat().st_size, half]
    )
    server.released.set()
    loaded(slow)
    assert slow.bytes_done == slow.bytes_total
    assert server.asked("GET", checkpoint.WEIGHTS) == 0
    assert server.printed == [] and capfd.readouterr().err == ""


def test_a_download_through_xet_that_is_given_up(server, slow_by_xet, tmp_path):
    slow = slow_by_xet
    slow.abandon()
    assert "was cancelled" in failure(slow)
    server.released.set()
    slow._thread.join(30)
    assert not slow._thread.is_alive()
    assert server.printed == []
    assert left_in(tmp_path / "cache") == []


def test_a_bar_does_all_that_the_clients_reporter_asks_of_one():
    seen = []
    reporter = XetDownloadProgressReporter(
        reconstruction_desc="x", total=100, log_level=0, tqdm_class=download.bar_class(seen.append)
    )
    steps = [(10, 300), (60, 300), (100, 400)]
    with reporter:
        for done, transferred in steps:
            reporter.update_progress(
                SimpleNamespace(
                    total_bytes=100,
                    total_bytes_completed=done,
                    total_bytes_completion_rate=1.0,
                    total_transfer_bytes_completed=transferred,
                    total_transfer_bytes_completion_rate=None,
                )
            )
    assert seen == [10, 60, 100]


def test_a_download_that_is_given_up_ends_at_the_next_chunk(server, folder, fetching, tmp_path):
    server.add(REPO, folder)
    server.fail("slow", "GET", checkpoint.WEIGHTS)
    slow = fetching()
    assert server.trickling.wait(30)
    slow.abandon()
    assert failure(slow) == f"the download of {REPO} was cancelled; start it again"
    server.released.set()
    slow._thread.join(30)
    assert not slow._thread.is_alive()
    assert left_in(tmp_path / "cache") == []
    server.heal()
    done = fetching()
    loaded(done)
    done.abandon()
    assert done.error is None and done.loaded is not None


def test_no_more_visitors_download_at_once_than_there_are_slots(server, folder, fetching):
    server.add(REPO, folder)
    server.fail("slow", "GET", checkpoint.WEIGHTS)
    slots = threading.BoundedSemaphore(1)
    first = fetching(slots=slots)
    assert server.trickling.wait(30)
    asked = len(server.requests)
    for _ in range(2):
        assert "other visitors are downloading" in failure(fetching(slots=slots))
    assert len(server.requests) == asked
    first.abandon()
    server.released.set()
    first._thread.join(30)
    server.heal()
    for name in (REPO, "someone/missing", REPO):
        last = fetching(name, slots=slots)
        assert last.wait()
        last._thread.join(30)
    loaded(last)
    assert slots.acquire(blocking=False)


def test_a_host_without_a_thread_left_keeps_its_slots(server, fetching, monkeypatch):
    def full(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    slots = threading.BoundedSemaphore(1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        assert "try again in a minute" in failure(fetching(slots=slots))
    assert slots.acquire(blocking=False)


def test_a_visitors_file_may_be_smaller_than_the_programs_own_limit(server, folder, fetching):
    server.add(REPO, folder)
    size = (folder / checkpoint.WEIGHTS).stat().st_size
    assert f"but the limit is {size - 1:,}" in failure(fetching(max_bytes=size - 1))
    assert server.asked("GET", checkpoint.WEIGHTS) == 0
    loaded(fetching(max_bytes=size))


def test_a_fetch_knows_its_age(server, fetching, monkeypatch):
    young = fetching()
    started = young._started
    monkeypatch.setattr(fetch.time, "monotonic", lambda: started + 2.5)
    assert young.age == 2.5


def test_a_repo_that_is_missing(fetching):
    assert f"no public repo {REPO}" in failure(fetching())


def test_a_revision_that_is_missing(server, folder, fetching):
    server.add(REPO, folder)
    assert "no branch, tag or commit 'v2'" in failure(fetching(f"{REPO}@v2"))


@pytest.mark.parametrize("name", list(checkpoint.FILES))
def test_a_file_that_is_missing(server, files, fetching, name):
    del files[name]
    server.add(REPO, files)
    assert f"not a microGPT checkpoint: {name} is missing" in failure(fetching())
    assert server.asked("GET", checkpoint.WEIGHTS) == 0


def test_a_repo_that_is_gated(server, folder, fetching):
    server.add(REPO, folder)
    server.repos[REPO].gated = True
    assert "is gated" in failure(fetching())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("truncate", f"broke before {checkpoint.WEIGHTS} was complete"),
        ("wrong bytes", "is damaged: its SHA-256"),
    ],
)
def test_a_damaged_download_is_refused_and_the_next_try_works(
    server, folder, fetching, tmp_path, fault, expected
):
    server.add(REPO, folder)
    server.fail(fault, "GET", checkpoint.WEIGHTS)
    assert expected in failure(fetching())
    assert left_in(tmp_path / "cache") == []
    server.heal()
    loaded(fetching())


def test_a_failed_update_leaves_the_old_copy(server, folder, fetching, tmp_path):
    old = server.add(REPO, folder)
    loaded(fetching())
    server.add(REPO, folder)
    server.fail("wrong bytes", "GET", checkpoint.WEIGHTS)
    assert "is damaged" in failure(fetching())
    assert hub.cached(hub.RepoRef(REPO), tmp_path / "cache").origin.commit == old


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (b'{"architectures": ["GPT2LMHeadModel"]}', 'does not say "microGPT"'),
        (b"<html>", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
    ],
)
def test_a_repo_of_another_kind_of_model(server, files, fetching, config, expected):
    server.add(REPO, {**files, checkpoint.CONFIG: config})
    assert expected in failure(fetching())
    assert server.asked("GET", checkpoint.WEIGHTS) == 0


def test_a_config_beyond_its_limits(server, files, fetching):
    config = json.loads(files[checkpoint.CONFIG])
    config["model"]["n_layer"] = 10**6
    server.add(REPO, {**files, checkpoint.CONFIG: json.dumps(config).encode()})
    assert "n_layer is 1000000; it must be between 1 and 48" in failure(fetching())
    assert server.asked("GET", checkpoint.WEIGHTS) == 0


def test_a_reason_that_quotes_a_stranger_is_kept_short(server, files, fetching):
    config = json.loads(files[checkpoint.CONFIG])
    config["model"]["x\n" * 10_000] = 1
    server.add(REPO, {**files, checkpoint.CONFIG: json.dumps(config).encode()})
    message = failure(fetching())
    assert "cannot be used: unknown setting" in message
    assert len(message) < 400


def test_a_vocabulary_that_does_not_match(server, files, fetching):
    config = json.loads(files[checkpoint.CONFIG])
    files[checkpoint.TOKENIZER] = b'{"characters": "abc"}'
    config["sha256"][checkpoint.TOKENIZER] = hashlib.sha256(files[checkpoint.TOKENIZER]).hexdigest()
    server.add(REPO, {**files, checkpoint.CONFIG: json.dumps(config).encode()})
    assert "the vocabulary has 3 characters" in failure(fetching())


@pytest.mark.parametrize("name", ["pytorch_model.bin", "ckpt.pt"])
def test_a_pickle_in_place_of_safetensors(server, files, fetching, name):
    files[name] = files.pop(checkpoint.WEIGHTS)
    server.add(REPO, files)
    assert f"are in {name}, a pickle" in failure(fetching())
    assert server.asked("GET", name) == 0


@pytest.mark.parametrize("name", list(checkpoint.FILES))
def test_a_file_that_is_too_large_is_not_downloaded(server, folder, fetching, name):
    server.add(REPO, folder)
    server.sizes[name] = checkpoint.FILES[name] + 1
    assert f"{name} of {REPO} has {checkpoint.FILES[name] + 1:,} bytes" in failure(fetching())
    assert server.asked("GET", name) == 0
    assert server.asked("GET", checkpoint.WEIGHTS) == 0


def test_a_file_that_is_longer_than_announced(server, folder, fetching):
    server.add(REPO, folder)
    server.sizes[checkpoint.WEIGHTS] = 5000
    assert "longer than the Hub said" in failure(fetching())


def test_a_client_that_is_offline(server, folder, fetching, monkeypatch):
    server.add(REPO, folder)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in failure(fetching())
    with pytest.raises(hub.HubError, match="cannot be reached while HF_HUB_OFFLINE is set"):
        hub.publish(folder, REPO, token=TOKEN, endpoint=server.url)


def test_a_cache_that_cannot_be_written(server, folder, fetching, tmp_path):
    server.add(REPO, folder)
    (tmp_path / "file").touch()
    assert "cannot be saved: Not a directory" in failure(
        fetching(cache_dir=tmp_path / "file" / "x")
    )


def test_two_fetches_of_one_repo_at_once(server, folder, fetching):
    commit = server.add(REPO, folder)
    both = [fetching(), fetching()]
    assert [loaded(each).origin.commit for each in both] == [commit, commit]


def test_a_download_that_fails_uses_the_copy_that_another_one_made(
    server, folder, fetching, tmp_path
):
    commit = server.add(REPO, folder)
    server.fail("slow", "GET", checkpoint.WEIGHTS)
    slow = fetching()
    assert server.trickling.wait(30)
    shutil.copytree(folder, copies.copy_folder(tmp_path / "cache", REPO, commit))
    server.released.set()  # which also cuts the answers short
    assert loaded(slow).origin.commit == commit


def test_the_least_recently_used_copies_are_deleted(server, folder, fetching, tmp_path):
    cache = tmp_path / "cache"
    names = ["a/a", "b/b", "c/c"]
    for name in names:
        server.add(name, folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    folders = [copy_of(loaded(fetching(name)), cache) for name in names]
    loaded(fetching("a/a"))  # used again
    copies.trim_cache(cache, 2 * size)
    assert [each.exists() for each in folders] == [True, False, True]
    copies.trim_cache(cache, 0, keep=[folders[2]])
    assert [each.exists() for each in folders] == [False, False, True]
    copies.trim_cache(tmp_path / "missing", 0)


def test_downloads_under_way_count_as_full_and_stay(server, folder, fetching, tmp_path):
    cache = tmp_path / "cache"
    server.add(REPO, folder)
    copy = copy_of(loaded(fetching()), cache)
    size = sum(path.stat().st_size for path in folder.iterdir())
    with atomic.replacing(copies.copy_folder(cache, REPO, "ab" * 20)) as partial:
        partial.mkdir()
        (partial / ".cache" / "huggingface").mkdir(parents=True)
        (partial / ".cache" / "huggingface" / "weights.incomplete").write_bytes(b"x" * 100)
        copies.trim_cache(cache, size + 100)
        assert copy.exists()
        copies.trim_cache(cache, size + 99)
        assert not copy.exists() and partial.exists()
        shutil.rmtree(partial / ".cache")


def test_what_a_killed_download_left_is_deleted_after_a_day(tmp_path):
    left = copies.copy_folder(tmp_path, REPO, f".{'ab' * 20}.abcdefgh.partial")
    left.mkdir(parents=True)
    copies.trim_cache(tmp_path, 100)
    assert left.exists()
    os.utime(left, (0, 0))
    copies.trim_cache(tmp_path, 100)
    assert not left.exists()


def test_a_download_that_is_killed_leaves_no_copy(server, folder, fetching, tmp_path):
    cache = tmp_path / "home" / "cache" / "hub"
    server.add(REPO, folder)
    server.fail("slow", "GET", checkpoint.WEIGHTS)
    code = f"from microgpt import hub; hub.load({REPO!r})"
    environment = server.environment(tmp_path / "home")
    with subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT) as process:
        assert server.trickling.wait(60)
        process.kill()
    server.released.set()
    server.heal()
    assert left_in(cache) != []
    assert hub.cached(hub.RepoRef(REPO), cache) is None
    got = loaded(fetching(cache_dir=cache))
    assert set(left_in(cache)) == {
        *copy_of(got, cache).iterdir(),
        cache / "someone--small-model" / "refs" / "main",
    }


def test_every_fetch_bounds_its_cache(server, folder, fetching, tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "CACHE_BYTES", 1)
    for name in ("a/a", "b/b"):
        server.add(name, folder)
        loaded(fetching(name))
    cache = tmp_path / "cache"
    assert hub.cached(hub.RepoRef("a/a"), cache) is None
    assert hub.cached(hub.RepoRef("b/b"), cache) is not None


def test_a_folder_opens_as_it_is(folder, tmp_path, monkeypatch):
    assert hub.load_folder(folder).origin == hub.Origin("folder", str(folder))
    assert hub.open_checkpoint(str(folder)).origin == hub.Origin("folder", str(folder))
    monkeypatch.setattr(hub, "BUNDLED", folder)
    assert hub.load_bundled().origin.kind == "bundled"
    monkeypatch.setattr(hub, "BUNDLED", tmp_path / "missing")
    with pytest.raises(checkpoint.CheckpointError):
        hub.load_bundled()
    with pytest.raises(hub.HubError, match="there is no folder 'gpt2' here"):
        hub.open_checkpoint("gpt2")


@pytest.mark.parametrize("text", ["x" * 300, "x/" + "y" * 300, "a" * 5000, "a\0b"])
def test_a_name_that_no_folder_can_have_is_refused_in_a_sentence(text: str):
    with pytest.raises(hub.HubError, match=r"there is no folder .* is not the name of a repo"):
        hub.open_checkpoint(text)
    with pytest.raises(checkpoint.CheckpointError):
        hub.load_folder(Path(text))


def test_a_command_line_shows_a_download_and_opens_a_copy_in_silence(
    server, folder, tmp_path, monkeypatch, capsys
):
    commit = server.add(REPO, folder)
    load = functools.partial(hub.load, cache_dir=tmp_path, endpoint=server.url)
    monkeypatch.setattr(hub, "load", load)
    assert open_checkpoint(REPO).origin.commit == commit
    out, err = capsys.readouterr()
    assert out == "" and f"{REPO}: 100%" in err
    assert open_checkpoint(REPO).origin.commit == commit
    assert capsys.readouterr() == ("", "")


def test_what_is_published_is_the_checkpoint_and_nothing_else(server, folder, fetching, tmp_path):
    mine = shutil.copytree(folder, tmp_path / "mine")
    (mine / "state.pt").write_bytes(b"x")
    published = hub.publish(mine, REPO, token=TOKEN, endpoint=server.url)
    assert published.url.endswith(published.commit)
    assert set(server.repos[REPO].commits[published.commit]) == set(checkpoint.FILES)
    assert len(server.repos[REPO].commits) == 1
    again = hub.publish(folder, REPO, token=TOKEN, endpoint=server.url)
    assert loaded(fetching()).origin.commit == again.commit
    got = loaded(fetching(f"{REPO}@{published.commit}"))
    assert got.weights_sha256 == checkpoint.load(mine).weights_sha256


def test_a_dry_run_lists_what_would_go_up_and_asks_nobody(server, folder):
    published = hub.publish(folder, REPO, dry_run=True, endpoint=server.url)
    assert published.files == {path.name: path.stat().st_size for path in folder.iterdir()}
    assert published.commit is None
    assert server.requests == []


def test_only_a_whole_checkpoint_is_published(server, folder, tmp_path):
    with pytest.raises(checkpoint.CheckpointError):
        hub.publish(tmp_path, REPO, token=TOKEN, endpoint=server.url)
    with pytest.raises(hub.HubError):
        hub.publish(folder, "nonsense", token=TOKEN, endpoint=server.url)
    assert server.requests == []


def test_a_hub_that_refuses_what_is_published(server, folder):
    for token in (None, "hf_reader"):
        with pytest.raises(hub.HubError, match=r"refuses access .* log in"):
            hub.publish(folder, REPO, token=token, endpoint=server.url)
    server.fail("503", "POST", "/api/models/")
    server.fail("503", "POST", "/api/repos/")
    with pytest.raises(hub.HubError, match="503"):
        hub.publish(folder, REPO, token=TOKEN, endpoint=server.url)
    server.close()
    with pytest.raises(hub.HubError, match="cannot be reached"):
        hub.publish(folder, REPO, token=TOKEN, endpoint=server.url)


def test_train_publish_and_load_all_the_way_round(server, corpus_file, fetching, tmp_path):
    out = tmp_path / "runs" / "mine"
    settings = ["steps=3", "n_layer=2", "n_embd=16", "n_head=2", "block_size=16", "batch_size=4"]
    settings += ["eval_interval=3", "eval_batches=1", "warmup_steps=1"]
    argv = ["train", "--data", str(corpus_file), "--out", str(out), "--device", "cpu"]
    assert main([*argv, *(word for s in settings for word in ("--set", s))]) == 0

    command = [sys.executable, "-m", "microgpt", "publish"]
    command += ["--checkpoint", str(out), "--repo", REPO]
    ran = subprocess.run(
        command,
        env=server.environment(tmp_path / "home"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    commit = re.search(r"commit ([0-9a-f]{40})", ran.stdout)[1]
    got = loaded(fetching())
    assert got.origin.commit == commit
    assert got.training.steps == 3
    assert got.weights_sha256 == checkpoint.load(out).weights_sha256


def test_the_command_lists_and_ends_in_one_sentence(folder, tmp_path, capsys):
    argv = ["publish", "--repo", REPO, "--dry-run", "--checkpoint"]
    assert main([*argv, str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[:-1]] == list(checkpoint.FILES)
    assert main([*argv, str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_interrupted_command_ends_without_a_traceback(folder, monkeypatch, capsys):
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("microgpt.cli.publish.publish", interrupted)
    assert main(["publish", "--repo", REPO, "--checkpoint", str(folder)]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_no_thread_is_left_behind(server, folder, fetching):
    server.add(REPO, folder)
    done = fetching()
    loaded(done)
    done._thread.join(30)
    assert done._thread not in threading.enumerate()


@pytest.fixture
def full(folder: Path, tmp_path: Path) -> Path:
    """The small checkpoint with every optional file."""
    found = checkpoint.load(folder)
    config = found.config
    size = config.vocab_size
    table = torch.full((size, size), 1 / size).log()
    none_known = Baselines(table[0], table, dict.fromkeys(("uniform", "unigram", "bigram"), 3.2))
    snapshot = Snapshots(
        steps=np.array([20]),
        passage=np.arange(4),
        maps=np.full((1, config.n_layer, config.n_head, 4, 4), 64),
        probs=np.full((1, 4, size), 1 / size),
        samples=np.arange(6)[None],
    )
    zeros = torch.zeros(config.n_layer, config.n_head)
    idle = HeadScores(15, dict.fromkeys(KINDS, 0), {}, {}, entropy=zeros, distance=zeros)
    parts = (found.model, found.tokenizer, found.loss_record, found.training)
    checkpoint.save(tmp_path / "full", Checkpoint(*parts, none_known, snapshot, idle))
    return tmp_path / "full"


def test_the_optional_files_are_published_and_fetched_along(server, full, fetching, tmp_path):
    contents = {path.name: path.read_bytes() for path in full.iterdir()}
    assert set(contents) == {*checkpoint.FILES, *OPTIONAL}
    dry = hub.publish(full, REPO, dry_run=True, endpoint=server.url)
    published = hub.publish(full, REPO, token=TOKEN, endpoint=server.url)
    assert server.repos[REPO].commits[published.commit] == contents
    assert dry.files == published.files == {name: len(contents[name]) for name in published.files}
    fetched = fetching()
    got = loaded(fetched)
    assert fetched.bytes_done == fetched.bytes_total == sum(published.files.values())
    copy = copy_of(got, tmp_path / "cache")
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == contents
    mine = checkpoint.load(full)
    assert got.baselines.to_json() == mine.baselines.to_json()
    assert got.snapshots.to_npz() == mine.snapshots.to_npz()
    assert got.head_scores.to_json() == mine.head_scores.to_json()


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_listed_optional_file_that_the_repo_lacks_is_done_without(server, full, fetching, name):
    (full / name).unlink()
    server.add(REPO, full)
    got = loaded(fetching())
    assert (got.baselines is None) == (name == checkpoint.BASELINES)
    assert (got.snapshots is None) == (name == checkpoint.SNAPSHOTS)
    assert (got.head_scores is None) == (name == checkpoint.HEAD_SCORES)
    assert got.notes == (f"{name} is listed in config.json but not in the folder",)


@pytest.mark.parametrize("name", list(checkpoint.OPTIONAL))
def test_what_is_not_listed_is_neither_published_nor_fetched(
    server, folder, fetching, tmp_path, name
):
    mine = shutil.copytree(folder, tmp_path / "mine")
    (mine / name).write_bytes(b"somebody's own notes")
    published = hub.publish(mine, REPO, token=TOKEN, endpoint=server.url)
    assert list(published.files) == list(checkpoint.FILES)
    assert set(server.repos[REPO].commits[published.commit]) == set(checkpoint.FILES)
    server.add(REPO, mine)
    loaded(fetching())
    assert server.asked("HEAD", name) == server.asked("GET", name) == 0


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_file_that_was_damaged_on_the_way_is_left_out_and_not_kept(
    server, full, fetching, tmp_path, name
):
    server.add(REPO, full)
    server.fail("wrong bytes", "GET", name)
    (note,) = loaded(fetching()).notes
    assert note.startswith(f"{name} is damaged: its SHA-256")
    assert not [path for path in left_in(tmp_path / "cache") if path.name in checkpoint.FILES]
    server.heal()
    assert loaded(fetching()).notes == ()


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_file_that_is_too_large_is_not_downloaded(server, full, fetching, name):
    server.add(REPO, full)
    server.sizes[name] = checkpoint.OPTIONAL[name] + 1
    assert loaded(fetching()).notes == (f"{name} is listed in config.json but not in the folder",)
    assert server.asked("GET", name) == 0


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_damaged_optional_file_is_not_published(full, name):
    (full / name).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=f"{name} is damaged"):
        hub.publish(full, REPO, dry_run=True)

import os
import shutil

from microgpt import atomic, hub
from microgpt.checkpoint import WEIGHTS
from microgpt.hub import copies
from tests.hub.fetching import REPO, copy_of, loaded, total_size


def test_the_copy_of_each_revision_is_opened_without_the_hub(
    server, tiny_checkpoint, cache, start_fetch
):
    first = server.add(REPO, tiny_checkpoint)
    second = server.add(REPO, tiny_checkpoint)
    other = server.add(REPO, tiny_checkpoint, branch="feature/x")
    assert loaded(start_fetch()).origin.commit == second
    assert loaded(start_fetch(f"{REPO}@{first}")).origin.commit == first
    assert loaded(start_fetch(f"{REPO}@feature/x")).origin.commit == other
    server.close()
    for revision, commit in ((None, second), (first, first), ("feature/x", other)):
        assert hub.cached(hub.RepoRef(REPO, revision), cache).origin.commit == commit
    assert hub.cached(hub.RepoRef(REPO, "v9"), cache) is None
    assert hub.cached(hub.RepoRef("someone/else"), cache) is None


def test_a_damaged_copy_is_not_opened_and_is_replaced_by_a_fetch(
    server, tiny_checkpoint, start_fetch, cache
):
    server.add(REPO, tiny_checkpoint)
    weights = copy_of(loaded(start_fetch()), cache) / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1])
    assert hub.cached(hub.RepoRef(REPO), cache) is None
    loaded(start_fetch())
    assert hub.cached(hub.RepoRef(REPO), cache) is not None


def test_the_least_recently_used_copies_are_deleted(server, tiny_checkpoint, start_fetch, cache):
    repos = ["a/a", "b/b", "c/c"]
    for repo in repos:
        server.add(repo, tiny_checkpoint)
    folders = [copy_of(loaded(start_fetch(repo)), cache) for repo in repos]
    loaded(start_fetch("a/a"))  # used again
    copies.trim_cache(cache, 2 * total_size(tiny_checkpoint))
    assert [folder.exists() for folder in folders] == [True, False, True]
    copies.trim_cache(cache, 0, keep=[folders[2]])
    assert [folder.exists() for folder in folders] == [False, False, True]


def test_the_folder_of_a_repo_is_deleted_with_its_last_copy(
    server, tiny_checkpoint, start_fetch, cache
):
    server.add(REPO, tiny_checkpoint)
    other = server.add("a/a", tiny_checkpoint)
    loaded(start_fetch())
    kept = copy_of(loaded(start_fetch("a/a")), cache)
    copies.trim_cache(cache, 0, keep=[kept])
    assert [repo.name for repo in cache.iterdir()] == ["a--a"]
    assert hub.cached(hub.RepoRef("a/a"), cache).origin.commit == other


def test_a_ref_that_is_not_text_is_ignored(server, tiny_checkpoint, start_fetch, cache):
    commit = server.add(REPO, tiny_checkpoint)
    loaded(start_fetch())
    (cache / "someone--small-model" / "refs" / "main").write_bytes(b"\xff\xfe")
    assert hub.cached(hub.RepoRef(REPO), cache).origin.commit == commit


def test_trimming_a_missing_cache_does_nothing(cache):
    copies.trim_cache(cache, 0)
    assert not cache.exists()


def test_downloads_in_progress_count_but_are_not_deleted(
    server, tiny_checkpoint, start_fetch, cache
):
    server.add(REPO, tiny_checkpoint)
    copy = copy_of(loaded(start_fetch()), cache)
    size = total_size(tiny_checkpoint)
    with atomic.replacing(copies.copy_folder(cache, REPO, "ab" * 20)) as partial:
        partial.mkdir()
        (partial / ".cache" / "huggingface").mkdir(parents=True)
        (partial / ".cache" / "huggingface" / "weights.incomplete").write_bytes(b"x" * 100)
        copies.trim_cache(cache, size + 100)
        assert copy.exists()
        copies.trim_cache(cache, size + 99)
        assert not copy.exists() and partial.exists()
        shutil.rmtree(partial / ".cache")


def test_the_files_of_a_killed_download_are_deleted_after_a_day(tmp_path):
    partial = copies.copy_folder(tmp_path, REPO, f".{'ab' * 20}.abcdefgh.partial")
    partial.mkdir(parents=True)
    copies.trim_cache(tmp_path, 100)
    assert partial.exists()
    os.utime(partial, (0, 0))
    copies.trim_cache(tmp_path, 100)
    assert not partial.exists()


def test_every_fetch_trims_the_cache(server, tiny_checkpoint, start_fetch, cache, monkeypatch):
    monkeypatch.setattr(copies, "CACHE_BYTES", 1)
    for repo in ("a/a", "b/b"):
        server.add(repo, tiny_checkpoint)
        loaded(start_fetch(repo))
    assert hub.cached(hub.RepoRef("a/a"), cache) is None
    assert hub.cached(hub.RepoRef("b/b"), cache) is not None

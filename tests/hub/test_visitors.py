import gc
import weakref

import pytest

from microgpt import checkpoint, hub
from microgpt.checkpoint import TOKENIZER, WEIGHTS, CheckpointError
from microgpt.hub import Visitor, VisitorCheckpoints
from tests.hub.fetching import REPO, cached_files, error, loaded, wait_for_thread

REF = hub.parse_repo(REPO)
OTHERS = [hub.parse_repo(name) for name in ("a/a", "b/b", "c/c")]


@pytest.fixture
def checkpoints(server, cache) -> VisitorCheckpoints:
    """The checkpoints that visitors load from the loopback Hub."""
    return VisitorCheckpoints(cache_dir=cache, endpoint=server.url)


def test_sessions_join_a_download_and_share_its_checkpoint(server, tiny_checkpoint, checkpoints):
    server.add(REPO, tiny_checkpoint)
    server.fail("slow", "GET", WEIGHTS)
    first = Visitor(checkpoints).show("page", REF)
    assert server.trickling.wait(30)
    joined = [Visitor(checkpoints).show("page", REF) for _ in range(30)]
    assert all(fetch is first for fetch in joined)
    server.heal()
    server.released.set()
    model = loaded(first).model
    later = Visitor(checkpoints).show("page", REF)
    assert loaded(later).model is model
    assert server.count("GET", TOKENIZER) == 1


def test_a_branch_and_its_commit_share_a_checkpoint(server, tiny_checkpoint, checkpoints):
    commit = server.add(REPO, tiny_checkpoint)
    one, other = Visitor(checkpoints), Visitor(checkpoints)
    both = [one.show("page", REF), other.show("page", hub.RepoRef(REPO, commit))]
    assert loaded(both[0]) is loaded(both[1])
    assert server.count("GET", WEIGHTS) == 1


def test_a_new_commit_is_found(server, tiny_checkpoint, checkpoints):
    server.add(REPO, tiny_checkpoint)
    old = loaded(Visitor(checkpoints).show("page", REF))
    commit = server.add(REPO, tiny_checkpoint)
    new = loaded(Visitor(checkpoints).show("page", REF))
    assert new is not old and new.origin.commit == commit


def test_a_checkpoint_is_unloaded_when_the_last_session_leaves(server, tiny_checkpoint, cache):
    server.add(REPO, tiny_checkpoint)
    unloaded = []
    checkpoints = VisitorCheckpoints(
        on_unload=lambda loaded: unloaded.append(loaded.origin.name),
        cache_dir=cache,
        endpoint=server.url,
    )
    one, other = Visitor(checkpoints), Visitor(checkpoints)
    fetch = one.show("page", REF)
    model = weakref.ref(loaded(fetch).model)
    assert loaded(other.show("page", REF)).model is model()
    one.leave()
    assert fetch.loaded is None and unloaded == []
    gc.disable()  # the app excludes loaded objects from it
    other.show("page", OTHERS[0])
    freed = model() is None
    gc.enable()
    assert freed and unloaded == [REPO]


def test_a_download_is_cancelled_when_the_last_session_leaves(
    server, tiny_checkpoint, checkpoints, cache
):
    server.add(REPO, tiny_checkpoint)
    server.fail("slow", "GET", WEIGHTS)
    one, other = Visitor(checkpoints), Visitor(checkpoints)
    fetch = one.show("page", REF)
    assert other.show("compared", REF) is fetch
    assert server.trickling.wait(30)
    one.leave()
    assert not fetch.done
    other.leave()
    assert "was cancelled" in error(fetch)
    wait_for_thread(fetch)
    assert cached_files(cache) == []


def test_visitors_who_leave_free_their_slots(server, tiny_checkpoint, checkpoints):
    for ref in (REF, *OTHERS):
        server.add(ref.repo_id, tiny_checkpoint)
    server.fail("slow", "GET", WEIGHTS)
    visitors = [Visitor(checkpoints) for _ in range(3)]
    for visitor, ref in zip(visitors, OTHERS, strict=True):
        visitor.show("page", ref)
    server.wait_for(3, "GET", WEIGHTS)
    assert "other visitors are downloading" in error(Visitor(checkpoints).show("page", REF))
    for visitor in visitors:
        visitor.leave()
    server.heal()
    loaded(Visitor(checkpoints).show("page", REF))


def test_the_least_recently_used_checkpoints_are_unloaded(server, tiny_checkpoint, cache):
    for ref in OTHERS:
        server.add(ref.repo_id, tiny_checkpoint)
    first = Visitor(VisitorCheckpoints(cache_dir=cache, endpoint=server.url))
    size = sum(4 * p.numel() for p in loaded(first.show("page", OTHERS[0])).model.parameters())
    checkpoints = VisitorCheckpoints(2 * size, cache_dir=cache, endpoint=server.url)
    visitors = [Visitor(checkpoints) for _ in OTHERS]
    a, b = (v.show("page", ref) for v, ref in zip(visitors[:2], OTHERS, strict=False))
    loaded(a), loaded(b)
    visitors[0].show("page", OTHERS[0])  # used again
    c = visitors[2].show("page", OTHERS[2])
    loaded(c)
    assert a.loaded is not None
    assert error(b) == "b/b was closed to make room for other visitors; try again"
    visitors[1].close("page")
    loaded(visitors[1].show("page", OTHERS[1]))
    assert "make room" in error(a)


def test_a_checkpoint_larger_than_the_limit_is_the_only_one(server, tiny_checkpoint, cache):
    for ref in OTHERS:
        server.add(ref.repo_id, tiny_checkpoint)
    checkpoints = VisitorCheckpoints(1, cache_dir=cache, endpoint=server.url)
    visitors = [Visitor(checkpoints) for _ in OTHERS]
    fetches = []
    for visitor, ref in zip(visitors, OTHERS, strict=True):
        fetches.append(visitor.show("page", ref))
        loaded(fetches[-1])
    assert [fetch.loaded is not None for fetch in fetches] == [False, False, True]


def size_of(checkpoint):
    return sum(p.numel() * p.element_size() for p in checkpoint.model.parameters())


def test_a_file_is_loaded_once_and_shared_until_the_last_session_leaves(tiny_checkpoint):
    unloaded, loads = [], []
    checkpoints = VisitorCheckpoints(on_unload=unloaded.append)

    def load():
        loads.append(1)
        return checkpoint.load(tiny_checkpoint)

    visitors = [Visitor(checkpoints) for _ in range(3)]
    opened = [each.open("page", "sha", "mine.zip", load) for each in visitors]
    assert len(loads) == 1 and opened[0].loaded is opened[2].loaded is not None
    assert visitors[0].opened("page") is opened[0] and visitors[0].opened("other") is None
    visitors[0].close("page")
    visitors[1].leave()
    assert visitors[0].opened("page") is None and not unloaded
    visitors[2].leave()
    assert opened[0].loaded is None and len(unloaded) == 1
    visitors[0].open("page", "sha", "mine.zip", load)
    assert len(loads) == 2


def test_a_file_that_cannot_be_loaded_leaves_the_view_empty():
    visitor = Visitor(VisitorCheckpoints())

    def load():
        raise CheckpointError("no checkpoint")

    with pytest.raises(CheckpointError):
        visitor.open("page", "sha", "mine.zip", load)
    assert visitor.opened("page") is None


def test_opened_files_and_repos_share_the_memory(server, tiny_checkpoint, cache):
    server.add(REPO, tiny_checkpoint)
    size = size_of(checkpoint.load(tiny_checkpoint))
    checkpoints = VisitorCheckpoints(size, cache_dir=cache, endpoint=server.url)
    one, other = Visitor(checkpoints), Visitor(checkpoints)
    fetch = one.show("page", REF)
    loaded(fetch)
    opened = other.open("page", "sha", "mine.zip", lambda: checkpoint.load(tiny_checkpoint))
    assert opened.loaded is not None and "make room" in error(fetch)
    loaded(one.show("again", REF))
    assert opened.loaded is None
    assert str(opened.error) == (
        "mine.zip was closed to make room for other visitors; open it again"
    )


def test_a_view_shows_a_repo_or_a_file(server, tiny_checkpoint, checkpoints):
    server.add(REPO, tiny_checkpoint)
    visitor = Visitor(checkpoints)
    fetch = visitor.show("page", REF)
    loaded(fetch)
    visitor.open("page", "sha", "mine.zip", lambda: checkpoint.load(tiny_checkpoint))
    assert fetch.loaded is None
    visitor.show("page", REF)
    assert visitor.opened("page") is None

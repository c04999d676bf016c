import pytest

from microgpt import checkpoint, hub
from microgpt.checkpoint import CheckpointError
from tests.folders import contents
from tests.hub.fetching import REPO, copy_of, loaded
from tests.loopback_hub import TOKEN

# The optional files that this version writes.
OPTIONAL = [name for name in checkpoint.OPTIONAL if name != checkpoint.EVOLUTION]


def test_only_the_files_of_the_checkpoint_are_published(server, checkpoint_copy, start_fetch):
    (checkpoint_copy / "state.pt").write_bytes(b"x")
    published = hub.publish(checkpoint_copy, REPO, token=TOKEN, endpoint=server.url)
    assert published.url.endswith(published.commit)
    assert set(server.repos[REPO].commits[published.commit]) == set(checkpoint.FILES)
    assert len(server.repos[REPO].commits) == 1
    got = loaded(start_fetch())
    assert got.origin.commit == published.commit
    assert got.weights_sha256 == checkpoint.load(checkpoint_copy).weights_sha256


def test_publishing_again_adds_a_commit(server, tiny_checkpoint, start_fetch):
    first, second = (
        hub.publish(tiny_checkpoint, REPO, token=TOKEN, endpoint=server.url) for _ in range(2)
    )
    assert loaded(start_fetch()).origin.commit == second.commit != first.commit
    assert loaded(start_fetch(f"{REPO}@{first.commit}")).origin.commit == first.commit


def test_a_dry_run_lists_the_files_and_sends_no_request(server, tiny_checkpoint):
    published = hub.publish(tiny_checkpoint, REPO, dry_run=True, endpoint=server.url)
    assert published.files == {path.name: path.stat().st_size for path in tiny_checkpoint.iterdir()}
    assert published.commit is None
    assert server.requests == []


def test_an_incomplete_checkpoint_or_a_malformed_repo_is_refused(server, tiny_checkpoint, tmp_path):
    with pytest.raises(CheckpointError):
        hub.publish(tmp_path, REPO, token=TOKEN, endpoint=server.url)
    with pytest.raises(hub.HubError):
        hub.publish(tiny_checkpoint, "nonsense", token=TOKEN, endpoint=server.url)
    assert server.requests == []


def test_an_error_of_the_hub_is_one_sentence(server, tiny_checkpoint):
    for token in (None, "hf_reader"):
        with pytest.raises(hub.HubError, match=r"refuses access .* log in"):
            hub.publish(tiny_checkpoint, REPO, token=token, endpoint=server.url)
    server.fail("503", "POST", "/api/models/")
    server.fail("503", "POST", "/api/repos/")
    with pytest.raises(hub.HubError, match="503"):
        hub.publish(tiny_checkpoint, REPO, token=TOKEN, endpoint=server.url)
    server.close()
    with pytest.raises(hub.HubError, match="cannot be reached"):
        hub.publish(tiny_checkpoint, REPO, token=TOKEN, endpoint=server.url)


def test_the_optional_files_are_published_and_fetched(server, full_checkpoint, start_fetch, cache):
    expected = contents(full_checkpoint)
    assert set(expected) == {*checkpoint.FILES, *OPTIONAL}
    dry_run = hub.publish(full_checkpoint, REPO, dry_run=True, endpoint=server.url)
    published = hub.publish(full_checkpoint, REPO, token=TOKEN, endpoint=server.url)
    assert server.repos[REPO].commits[published.commit] == expected
    assert dry_run.files == published.files
    assert published.files == {name: len(content) for name, content in expected.items()}
    fetch = start_fetch()
    got = loaded(fetch)
    assert fetch.bytes_done == fetch.bytes_total == sum(published.files.values())
    assert contents(copy_of(got, cache)) == expected
    assert None not in (got.baselines, got.snapshots, got.head_scores)


@pytest.mark.parametrize("name", list(checkpoint.OPTIONAL))
def test_an_optional_file_that_the_config_does_not_list_is_not_published(
    server, checkpoint_copy, name
):
    (checkpoint_copy / name).write_bytes(b"notes of someone else")
    published = hub.publish(checkpoint_copy, REPO, token=TOKEN, endpoint=server.url)
    assert list(published.files) == list(checkpoint.FILES)
    assert set(server.repos[REPO].commits[published.commit]) == set(checkpoint.FILES)


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_damaged_optional_file_is_not_published(full_checkpoint, name):
    (full_checkpoint / name).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=f"{name} is damaged"):
        hub.publish(full_checkpoint, REPO, dry_run=True)

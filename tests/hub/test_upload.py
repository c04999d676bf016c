from itertools import product

import pytest
from huggingface_hub import close_session

from microgpt import checkpoint, hub
from microgpt.checkpoint import CheckpointError
from microgpt.hub import connections
from tests.folders import GPT_PARTS, contents
from tests.hub.fetching import REPO, copy_of, loaded
from tests.loopback_hub import TOKEN

# The optional files that this version writes.


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


@pytest.mark.parametrize(
    ("answer", "step"),
    [
        *product(["not a hub", "[]"], ["create", "validate-yaml", "preupload", "batch", "commit"]),
        *product(["{}"], ["create", "preupload", "batch", "commit"]),
    ],
)
def test_an_answer_that_is_not_one_of_a_hub_is_one_sentence(server, tiny_checkpoint, answer, step):
    server.fail(answer, "POST", step)
    with pytest.raises(hub.HubError, match="sent an answer that is not one of a Hugging Face Hub"):
        hub.publish(tiny_checkpoint, REPO, token=TOKEN, endpoint=server.url)


@pytest.mark.parametrize(("method", "name"), [("PUT", "/upload/"), ("POST", "/commit/")])
def test_a_file_that_is_too_large_for_the_hub_is_one_sentence(
    server, tiny_checkpoint, method, name
):
    server.fail("413", method, name)
    with pytest.raises(hub.HubError, match=r"a file is too large .* \(413\)"):
        hub.publish(tiny_checkpoint, REPO, token=TOKEN, endpoint=server.url)


def test_the_reason_why_the_hub_refuses_the_model_card_is_shown(server, tiny_checkpoint):
    server.fail("bad card", "POST", "validate-yaml")
    with pytest.raises(hub.HubError, match=r'"license" must be a text; correct README\.md$'):
        hub.publish(tiny_checkpoint, REPO, token=TOKEN, endpoint=server.url)


def test_a_hub_that_stays_silent_is_given_up(server, tiny_checkpoint, monkeypatch):
    monkeypatch.setattr(connections, "SILENCE_S", 0.1)
    close_session()  # the next one has this limit
    server.fail("hang")
    with pytest.raises(hub.HubError, match="did not answer in time"):
        hub.publish(tiny_checkpoint, REPO, token=TOKEN, endpoint=server.url)
    close_session()


def test_the_optional_files_are_published_and_fetched(server, full_checkpoint, start_fetch, cache):
    expected = contents(full_checkpoint)
    assert set(expected) == {*checkpoint.FILES, *GPT_PARTS}
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


@pytest.mark.parametrize("name", GPT_PARTS)
def test_a_damaged_optional_file_is_not_published(full_checkpoint, name):
    (full_checkpoint / name).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=f"{name} is damaged"):
        hub.publish(full_checkpoint, REPO, dry_run=True)

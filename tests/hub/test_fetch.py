import threading

import pytest
import torch
from huggingface_hub import constants

from microgpt import checkpoint, hub
from microgpt.checkpoint import CONFIG, WEIGHTS
from microgpt.hub import download, fetch
from tests.hub.fetching import REPO, cached_files, error, loaded, total_size, wait_for_thread
from tests.loopback_hub import TOKEN


def test_a_checkpoint_is_loaded_with_its_origin_and_progress(server, tiny_checkpoint, cache):
    commit = server.add(REPO, tiny_checkpoint)
    calls = []
    got = hub.load(
        REPO,
        token=False,
        cache_dir=cache,
        progress=lambda done, total: calls.append((done, total)),
        endpoint=server.url,
    )
    assert got.origin == hub.Origin("hub", REPO, commit)
    assert got.training.steps == 20
    expected = checkpoint.load(tiny_checkpoint).model.state_dict()
    for name, tensor in got.model.state_dict().items():
        assert torch.equal(tensor, expected[name])
    total = total_size(tiny_checkpoint)
    assert calls[-1] == (total, total)
    assert calls == sorted(calls)


def test_the_saved_token_is_sent_only_on_request(server, tiny_checkpoint, start_fetch, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    server.add(REPO, tiny_checkpoint)
    loaded(start_fetch(token=False))
    assert {request.authorization for request in server.requests} == {None}
    server.requests.clear()
    loaded(start_fetch(token=None))
    assert {request.authorization for request in server.requests} == {f"Bearer {TOKEN}"}


def test_a_closed_port_is_an_error(server, start_fetch):
    server.close()
    assert "cannot be reached" in error(start_fetch())


def test_a_hub_that_does_not_answer_is_given_up_at_the_deadline(server, start_fetch, monkeypatch):
    server.fail("hang")
    monkeypatch.setattr(fetch, "ANSWER_S", 0.2)
    assert "did not answer within 0.2 s" in error(start_fetch())


def test_a_hub_that_does_not_answer_is_given_up_by_the_client(server, start_fetch, monkeypatch):
    server.fail("hang")
    monkeypatch.setattr(download, "PROBE_S", 0.2)
    monkeypatch.setattr(fetch, "ANSWER_S", 60.0)
    assert "did not answer in time" in error(start_fetch())


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_an_unavailable_hub_is_an_error(server, tiny_checkpoint, start_fetch, method):
    server.add(REPO, tiny_checkpoint)
    server.fail("503", method)
    assert "answered '503 Service Unavailable'" in error(start_fetch())


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_hub_that_asks_to_wait_is_an_error_at_once(server, tiny_checkpoint, start_fetch, method):
    server.add(REPO, tiny_checkpoint)
    server.fail("429", method)
    fetch = start_fetch(deadline_s=60)
    assert "answered '429 Too Many Requests'" in error(fetch)
    wait_for_thread(fetch)
    server.heal()
    loaded(start_fetch())


def test_a_broken_connection_is_an_error(server, tiny_checkpoint, start_fetch):
    server.add(REPO, tiny_checkpoint)
    server.fail("disconnect")
    assert "broke before config.json was complete" in error(start_fetch())


def test_a_server_that_is_not_a_hub_is_an_error(server, start_fetch):
    server.fail("not a hub")
    assert "check HF_ENDPOINT" in error(start_fetch())


def test_an_error_of_our_own_is_not_blamed_on_the_hub(server, tiny_checkpoint, start_fetch):
    def load(folder, origin):
        raise KeyError("ours")

    server.add(REPO, tiny_checkpoint)
    fetch = start_fetch(load=load)
    assert fetch.wait()
    assert "Hugging Face Hub" not in str(fetch.error) and "ours" in str(fetch.error)


def test_a_malformed_address_is_an_error(cache):
    started = hub.Fetch(hub.parse_repo(REPO), cache_dir=cache, token=False, endpoint="nowhere")
    assert "check HF_ENDPOINT" in error(started)


def test_a_missing_repo_is_an_error(start_fetch):
    assert f"no public repo {REPO}" in error(start_fetch())


def test_a_missing_revision_is_an_error(server, tiny_checkpoint, start_fetch):
    server.add(REPO, tiny_checkpoint)
    assert "no branch, tag or commit 'v2'" in error(start_fetch(f"{REPO}@v2"))


def test_a_gated_repo_is_an_error(server, tiny_checkpoint, start_fetch):
    server.add(REPO, tiny_checkpoint)
    server.repos[REPO].gated = True
    assert "is gated" in error(start_fetch())


@pytest.mark.parametrize("fault", ["401", "403", "gated"])
def test_only_the_command_line_is_told_to_log_in(server, tiny_checkpoint, start_fetch, fault):
    server.add(REPO, tiny_checkpoint)
    if fault == "gated":
        server.repos[REPO].gated = True
    else:
        server.fail(fault)
    refused = start_fetch()
    assert "HF_TOKEN" in error(refused)
    assert refused.error.for_visitors.endswith("; name a public repo")
    assert "HF_TOKEN" not in refused.error.for_visitors


def test_visitors_are_not_told_to_change_settings(server, start_fetch, monkeypatch):
    server.fail("not a hub")
    failed = [start_fetch()]
    assert "check HF_ENDPOINT" in error(failed[0])
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    failed.append(start_fetch())
    assert "unset it" in error(failed[1])
    for each in failed:
        assert "check HF" not in each.error.for_visitors
        assert "unset" not in each.error.for_visitors


def test_offline_mode_is_an_error(server, tiny_checkpoint, start_fetch, monkeypatch):
    server.add(REPO, tiny_checkpoint)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in error(start_fetch())
    with pytest.raises(hub.HubError, match="cannot be reached while HF_HUB_OFFLINE is set"):
        hub.publish(tiny_checkpoint, REPO, token=TOKEN, endpoint=server.url)


def test_a_cache_that_cannot_be_written_is_an_error(server, tiny_checkpoint, start_fetch, tmp_path):
    server.add(REPO, tiny_checkpoint)
    (tmp_path / "file").touch()
    message = error(start_fetch(cache_dir=tmp_path / "file" / "x"))
    assert "cannot be saved: Not a directory" in message


def test_a_download_ends_at_its_deadline_although_nobody_polls_it(
    server, tiny_checkpoint, start_fetch, cache
):
    server.add(REPO, tiny_checkpoint)
    server.fail("slow", "GET", WEIGHTS)
    slots = threading.BoundedSemaphore(1)
    slow = start_fetch(deadline_s=5.0, slots=slots)
    assert server.trickling.wait(30)
    assert slots.acquire(timeout=30)
    assert " within 5 s" in error(slow)
    wait_for_thread(slow)
    assert cached_files(cache) == []


@pytest.mark.parametrize("fault", ["hang", "slow headers", "slow", "stall"])
def test_a_cancelled_download_ends_whatever_the_server_does(
    server, tiny_checkpoint, start_fetch, cache, fault
):
    server.add(REPO, tiny_checkpoint)
    server.fail(fault, "GET", WEIGHTS)
    slots = threading.BoundedSemaphore(1)
    slow = start_fetch(slots=slots)
    assert server.trickling.wait(30)
    slow.abandon()
    assert slots.acquire(blocking=False)
    assert error(slow) == f"the download of {REPO} was cancelled; start it again"
    wait_for_thread(slow)
    assert cached_files(cache) == []


def test_a_download_in_progress_reports_its_bytes(server, slow_fetch):
    assert not slow_fetch.done and slow_fetch.loaded is None and slow_fetch.error is None
    assert 0 < slow_fetch.bytes_done < slow_fetch.bytes_total
    server.released.set()


def test_cancelling_after_the_end_changes_nothing(server, tiny_checkpoint, start_fetch):
    server.add(REPO, tiny_checkpoint)
    done = start_fetch()
    loaded(done)
    done.abandon()
    assert done.error is None and done.loaded is not None


def test_at_most_as_many_downloads_run_as_there_are_slots(server, tiny_checkpoint, start_fetch):
    commit = server.add(REPO, tiny_checkpoint)
    server.add("someone/else", tiny_checkpoint)
    server.fail("slow", "GET", f"{REPO}/resolve/{commit}/{WEIGHTS}")
    slots = threading.BoundedSemaphore(1)
    first = start_fetch(slots=slots)
    assert server.trickling.wait(30)
    for _ in range(2):
        assert "other visitors are downloading" in error(start_fetch("someone/else", slots=slots))
    assert server.count("GET", CONFIG) == 1
    first.abandon()
    for repo in ("someone/else", "someone/missing", "someone/else"):
        last = start_fetch(repo, slots=slots)
        assert last.wait()
    loaded(last)
    assert slots.acquire(blocking=False)


def test_a_copy_is_opened_without_a_slot(server, tiny_checkpoint, start_fetch):
    server.add(REPO, tiny_checkpoint)
    loaded(start_fetch())
    loaded(start_fetch(slots=threading.Semaphore(0)))


def test_a_system_without_free_threads_is_an_error_and_keeps_its_slots(start_fetch, monkeypatch):
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    slots = threading.BoundedSemaphore(1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        assert "try again in a minute" in error(start_fetch(slots=slots))
    assert slots.acquire(blocking=False)


def test_the_limit_for_a_file_can_be_lowered(server, tiny_checkpoint, start_fetch):
    server.add(REPO, tiny_checkpoint)
    size = (tiny_checkpoint / WEIGHTS).stat().st_size
    assert f"but the limit is {size - 1:,}" in error(start_fetch(max_bytes=size - 1))
    assert server.count("GET", WEIGHTS) == 0
    loaded(start_fetch(max_bytes=size))


def test_the_age_is_the_time_since_the_start(start_fetch, monkeypatch):
    young = start_fetch()
    started = young._started
    monkeypatch.setattr(fetch.time, "monotonic", lambda: started + 2.5)
    assert young.age == 2.5


def test_two_fetches_of_one_commit_download_it_once(server, tiny_checkpoint, start_fetch):
    commit = server.add(REPO, tiny_checkpoint)
    both = [start_fetch(), start_fetch(f"{REPO}@{commit}")]
    assert [loaded(each).origin.commit for each in both] == [commit, commit]
    assert server.count("GET", WEIGHTS) == 1


def test_a_fetch_takes_over_when_the_other_one_of_its_commit_is_cancelled(
    server, tiny_checkpoint, slow_fetch, start_fetch
):
    commit = server.repos[REPO].branches["main"]
    other = start_fetch(f"{REPO}@{commit}")
    server.heal()
    slow_fetch.abandon()
    assert loaded(other).origin.commit == commit


def test_the_thread_ends_after_the_fetch(server, tiny_checkpoint, start_fetch):
    server.add(REPO, tiny_checkpoint)
    done = start_fetch()
    loaded(done)
    wait_for_thread(done)

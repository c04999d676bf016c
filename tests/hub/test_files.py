import pytest

from microgpt.hub.files import download_files
from microgpt.hub.repo import HubError, RepoRef
from tests.hub.fetching import REPO

LIMITS = {"a.json": 100, "missing.json": 100, "b.bin": 10_000}
FILES = {"a.json": b"{}", "b.bin": bytes(9_000)}


def test_the_files_that_exist_are_downloaded(server, tmp_path):
    server.add(REPO, FILES)
    download_files(RepoRef(REPO), LIMITS, tmp_path, token=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == FILES


def test_a_file_above_its_limit_is_refused(server, tmp_path):
    server.add(REPO, FILES | {"a.json": bytes(101)})
    with pytest.raises(HubError, match="has 101 bytes, but the limit is 100"):
        download_files(RepoRef(REPO), LIMITS, tmp_path, token=False)
    server.sizes["a.json"] = 50  # the Hub lies
    with pytest.raises(HubError, match=r"a\.json"):
        download_files(RepoRef(REPO), LIMITS, tmp_path, token=False)


def test_a_slow_transfer_ends_at_the_deadline(server, tmp_path):
    server.add(REPO, FILES)
    server.fail("stall", "GET", "b.bin")
    with pytest.raises(HubError, match=r"did not arrive within 0\.5 s"):
        download_files(RepoRef(REPO), LIMITS, tmp_path, token=False, deadline_s=0.5)


def test_a_repo_that_is_not_there_is_named(server, tmp_path):
    with pytest.raises(HubError, match="there is no public repo"):
        download_files(RepoRef(REPO), LIMITS, tmp_path, token=False)

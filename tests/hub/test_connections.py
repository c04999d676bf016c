from concurrent.futures import ThreadPoolExecutor

import pytest
from huggingface_hub import get_hf_file_metadata, hf_hub_url

from microgpt.checkpoint import CONFIG
from microgpt.hub.connections import Connections, Cut
from tests.hub.fetching import REPO


@pytest.fixture
def request_config(server, tiny_checkpoint):
    """Request the size of a repo's config.json with the client of the Hub."""
    server.add(REPO, tiny_checkpoint)
    url = hf_hub_url(REPO, CONFIG, endpoint=server.url)
    return lambda: get_hf_file_metadata(url, token=False, endpoint=server.url).size


def test_requests_are_sent_inside_and_outside_the_block(request_config):
    size = request_config()
    with Connections():
        assert request_config() == size > 0
    assert request_config() == size


def test_a_cut_ends_the_present_request(server, request_config):
    server.fail("hang")
    connections = Connections()

    def request() -> None:
        with connections:
            request_config()

    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(request)
        assert server.trickling.wait(30)
        connections.cut()
        try:
            assert isinstance(result.exception(timeout=60), Exception)
        finally:
            server.released.set()
    server.heal()
    assert request_config() > 0, "other requests are not affected"


def test_after_a_cut_no_request_is_sent(server, request_config):
    with Connections() as connections:
        connections.cut()
        with pytest.raises(Cut):
            request_config()
    assert server.requests == []

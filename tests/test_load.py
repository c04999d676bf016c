"""Several visitors of one server, as in the load benchmark."""

from tests.benchmarks import load
from tests.benchmarks.serving import served


def test_five_visitors_write_at_the_same_time_as_a_model_is_trained():
    with served() as server:
        with load.training():
            written = load.write(server.url, sessions=5, length=50)
        opened = load.open_pages(server.url)
    assert len(written[load.RATES]) == 5 and min(written[load.RATES]) > 0
    assert opened[load.OPEN].keys() == opened[load.RERUN].keys() == load.PAGES.keys()

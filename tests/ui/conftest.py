"""The app under Streamlit's own test runner, on the small checkpoint."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.shown import APP, PAGES


@pytest.fixture
def app(monkeypatch, tiny_checkpoint):
    """The app, not run yet."""
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
    return AppTest.from_file(APP, default_timeout=60)


@pytest.fixture
def opened(monkeypatch, tiny_checkpoint):
    """Open the Attention page's tab on a checkpoint, with a query string."""

    def start(folder=tiny_checkpoint, tab="All heads", **query):
        monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
        app = AppTest.from_file(APP, default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        app.switch_page(PAGES[1])
        app.session_state["attention_view"] = tab
        return app.run()

    return start

from pathlib import Path

import pytest

from tests.pair_checkpoint import save_pair_checkpoint
from tests.ui.pages import CROSS_ATTENTION, new_app, open_page


@pytest.fixture(scope="session")
def bare_pair_checkpoint(tmp_path_factory, loss_record, training) -> Path:
    """The small encoder–decoder without snapshots and scores."""
    folder = tmp_path_factory.mktemp("bare pairs") / "bare"
    return save_pair_checkpoint(folder, loss_record, training, measured=False)


@pytest.fixture
def open_cross(monkeypatch, pair_checkpoint):
    """Open the Cross-attention page on a checkpoint, with the parameters of a link."""

    def start(folder=pair_checkpoint, **query):
        monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
        app = new_app()
        for key, value in query.items():
            app.query_params[key] = value
        return open_page(app, CROSS_ATTENTION)

    return start

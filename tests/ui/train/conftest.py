"""Runs of the Train page, trained by real processes on a small text."""

from collections.abc import Callable, Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from microgpt.config import GPTConfig, TrainConfig
from microgpt.training.finish import Source
from microgpt.training.jobs import Jobs
from microgpt.ui.cache.training import jobs
from tests.ui.pages import GENERATE, open_page, press

TEXT = "Ba do ke\nli mu\n" * 200
WAIT_S = 600  # so long that only a run that hangs reaches it


@pytest.fixture(scope="module")
def runs() -> Iterator[Jobs]:
    """The runs of this test's server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MICROGPT_TRAINING", "1")
        st.cache_resource.clear()
        yield jobs()
        st.cache_resource.clear()


def submitted(runs: Jobs, **changes: object) -> str:
    """Submit a small run; changes: of its training settings."""
    settings: dict = {"steps": 12, "batch_size": 4, "eval_interval": 4, "eval_batches": 1}
    train = TrainConfig(**settings | {"snapshot_count": 3, "log_interval": 2} | changes)
    model = GPTConfig(block_size=8, n_layer=1, n_head=2, n_embd=8, dropout=0.0)
    return runs.submit(TEXT, model, train, Source("two lines", "none"))


@pytest.fixture(scope="module")
def done(runs: Jobs) -> str:
    """The id of a run that is done."""
    run = submitted(runs)
    status = runs.wait_for(run, lambda status: status.ended, WAIT_S)
    assert status.state == "done", status.error
    return run


def open_it(app: AppTest) -> None:
    """Open the checkpoint of the run that the page shows; the test runner opens no other page."""
    press(app, "Open it")
    page, _ = app.session_state["requested_page"]
    del app.session_state["requested_page"]
    chosen = app.selectbox("checkpoint").value
    assert page == GENERATE and chosen.startswith("Yours: ")
    open_elsewhere(app, page)


def open_elsewhere(app: AppTest, page: str) -> AppTest:
    """Open another page with the checkpoint that is chosen.

    In the first run of a page, the test runner has lost what a browser keeps in the link.
    """
    chosen = app.selectbox("checkpoint").value
    open_page(app, page).run()
    return app.selectbox("checkpoint").set_value(chosen).run()


@pytest.fixture
def endless(runs: Jobs) -> Iterator[Callable[[], str]]:
    """Submit a run that does not end by itself during the test."""
    made: list[str] = []

    def submit() -> str:
        made.append(submitted(runs, steps=20_000, eval_interval=1000))
        return made[-1]

    yield submit
    for run in made:
        try:
            runs.give_up(run)
        except Exception:  # the test has already given it up
            continue

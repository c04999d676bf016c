"""The app under Streamlit's own test runner, on the small checkpoint."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.head_scores import Ablation
from microgpt.analysis.heads import text_scores
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


@pytest.fixture
def scored_checkpoint(tiny_checkpoint: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a copy of the small checkpoint whose head scores have this head as most important."""

    def make(layer: int, head: int, name: str = "scored") -> Path:
        folder = shutil.copytree(tiny_checkpoint, tmp_path / name)
        loaded = checkpoint.load(folder)
        ids = loaded.tokenizer.encode("ba do ke li mu.")
        scores = text_scores(attention_maps(loaded.model, ids).weights, ids, loaded.tokenizer)
        change = torch.zeros(2, 3)
        change[layer - 1, head - 1] = 0.1234
        scores = dataclasses.replace(scores, ablation=Ablation(10, change))
        checkpoint.add_head_scores(folder, scores, loaded.config)
        return folder

    return make

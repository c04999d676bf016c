import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
import torch

from microgpt import checkpoint
from microgpt.analysis.attention import attention_maps
from microgpt.analysis.head_scores import Ablation
from microgpt.analysis.heads import text_scores
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.hub import Visitor, parse_repo, visitors
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer
from microgpt.ui import repo
from microgpt.ui.cache.checkpoints import visitor_checkpoints
from tests.loopback_hub import running
from tests.ui.pages import ATTENTION, INSIDE, TAB_KEYS, new_app, open_page


@pytest.fixture
def app(monkeypatch, tiny_checkpoint):
    """The app on the small checkpoint, not run yet."""
    monkeypatch.setenv("MICROGPT_CHECKPOINT", str(tiny_checkpoint))
    return new_app()


@pytest.fixture
def open_attention(monkeypatch, tiny_checkpoint):
    """Open a tab of the Attention page on a checkpoint, with the parameters of a link."""

    def start(folder=tiny_checkpoint, tab="All heads", **query):
        monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
        app = new_app()
        for key, value in {**query, TAB_KEYS[ATTENTION]: tab}.items():
            app.query_params[key] = value
        return open_page(app, ATTENTION)

    return start


@pytest.fixture
def open_inside(monkeypatch, tiny_checkpoint):
    """Open a tab of the Inside page on a checkpoint, with the parameters of a link."""

    def start(tab, folder=tiny_checkpoint, **query):
        monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
        app = new_app()
        app.query_params |= {**query, TAB_KEYS[INSIDE]: tab}
        return open_page(app, INSIDE)

    return start


@pytest.fixture
def use_model(monkeypatch, tmp_path, loss_record, training) -> Callable[..., Path]:
    """Save the checkpoint of a new model with a config and tokenizer; the app then opens it."""

    def save(config: GPTConfig, tokenizer: CharTokenizer, **provenance: str) -> Path:
        torch.manual_seed(0)
        folder = tmp_path / "new model"
        made = dataclasses.replace(training, **provenance)
        checkpoint.save(folder, Checkpoint(GPT(config), tokenizer, loss_record, made))
        monkeypatch.setenv("MICROGPT_CHECKPOINT", str(folder))
        return folder

    return save


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


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A Hub on loopback, with room for one checkpoint of a visitor; pages wait for a download."""
    monkeypatch.setenv("MICROGPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(visitors, "WEIGHT_BYTES", 1)
    monkeypatch.setattr(repo, "WAIT_SECONDS", 600.0)
    st.cache_resource.clear()
    with running(monkeypatch) as server:
        yield server
    st.cache_resource.clear()


@pytest.fixture
def open_as_another_visitor() -> Callable[[str], None]:
    """Open a repo on the Hub as another visitor of the same server."""

    def open_repo(repo: str) -> None:
        fetch = Visitor(visitor_checkpoints()).show("page", parse_repo(repo))
        assert fetch.wait() and fetch.loaded is not None

    return open_repo

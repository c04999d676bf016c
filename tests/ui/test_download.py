"""The download button."""

import weakref

import pytest
import streamlit as st

from microgpt import checkpoint
from microgpt.checkpoint import CheckpointError
from microgpt.ui.download import download
from tests.ui.pages import run_script


def offer(name):
    """A script that offers a file and counts how often its content is computed."""
    import streamlit as st

    from microgpt.ui.download import download

    calls = st.session_state.setdefault("calls", [])
    download("Table", lambda: calls.append(1) or "a,b", name, help="Two columns.")


def test_the_content_is_not_computed_before_the_click():
    app = run_script(offer, "table.csv")
    assert app.session_state["calls"] == []
    (button,) = app.get("download_button")
    assert (button.proto.label, button.proto.help) == ("Table", "Two columns.")


def test_the_button_does_not_keep_its_checkpoint(tiny_checkpoint, monkeypatch):
    passed = []
    monkeypatch.setattr(
        st, "download_button", lambda label, content, *_, **__: passed.append(content)
    )
    loaded = checkpoint.load(tiny_checkpoint)
    download("Steps", lambda of: str(of.training.steps), "steps.txt", of=loaded)
    (content,) = passed
    assert content() == "20"
    seen = weakref.ref(loaded)
    del loaded
    assert seen() is None
    with pytest.raises(CheckpointError, match="reload the page"):
        content()


def test_a_file_name_needs_a_known_extension():
    with pytest.raises(KeyError):
        download("Table", lambda: "", "table")

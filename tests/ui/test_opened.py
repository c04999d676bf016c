"""A checkpoint that a visitor opens from a file."""

import io
import zipfile

import pytest
import streamlit as st

from microgpt import checkpoint
from microgpt.checkpoint import TOKENIZER
from microgpt.checkpoint.archive import pack
from microgpt.hub import Visitor, visitors
from microgpt.ui.cache.checkpoints import visitor_checkpoints
from microgpt.ui.opened import MAX_MIB
from tests.ui.pages import (
    ATTENTION,
    LOSS_RECORD,
    SNAPSHOTS,
    TITLES,
    errors,
    open_page,
    sidebar_text,
    tabs,
)

YOURS = "Yours: verses"


@pytest.fixture(autouse=True)
def _a_session_of_its_own():
    """All sessions of Streamlit's test runner have one id, and so one Visitor."""
    yield
    st.cache_resource.clear()


@pytest.fixture
def packed(checkpoint_with_snapshots):
    return pack(checkpoint_with_snapshots)


def drop(app, *files, number=0):
    """Drop files into the sidebar."""
    uploads = [(name, data, "application/octet-stream") for name, data in files]
    app.file_uploader(f"checkpoint_file_{number}").set_value(uploads).run()
    assert not app.exception
    return app


def test_a_zip_opens_for_this_session_on_every_page(app, packed):
    drop(app.run(), ("verses.zip", packed))
    assert app.selectbox("checkpoint").value == YOURS
    for page in TITLES:
        open_page(app, page)
        assert not app.error
    assert SNAPSHOTS in tabs(open_page(app, LOSS_RECORD))
    assert YOURS in app.query_params["checkpoint"]


def test_a_second_file_is_named_in_the_link_at_once(app, packed):
    drop(app.run(), ("verses.zip", packed))
    drop(app, ("letters.zip", packed), number=1)
    assert app.selectbox("checkpoint").value == "Yours: letters"
    assert app.query_params["checkpoint"] == "Yours: letters"


def test_the_files_of_a_folder_open_too(app, checkpoint_with_snapshots):
    files = [(path.name, path.read_bytes()) for path in checkpoint_with_snapshots.iterdir()]
    drop(app.run(), *files)
    assert app.selectbox("checkpoint").value == "Yours: opened files"


def test_another_choice_and_back(app, packed, tiny_checkpoint):
    drop(app.run(), ("verses.zip", packed))
    app.selectbox("checkpoint").select_index(0).run()
    assert tiny_checkpoint.name in sidebar_text(app)
    app.selectbox("checkpoint").select(YOURS).run()
    assert not app.error and "**verses**" in sidebar_text(app)


def test_opening_a_file_leaves_the_repo(app, packed):
    app.query_params["repo"] = "no repo at all"
    drop(app.run(), ("verses.zip", packed))
    assert app.sidebar.text_input[0].value == "" and not app.error


def test_a_file_that_is_no_checkpoint_is_an_error_and_the_page_stays(app, packed, tiny_checkpoint):
    drop(app.run(), ("verses.zip", packed[:-30]))
    assert errors(app) == [
        "The checkpoint cannot be opened: the zip is damaged, or is not a zip; download it again."
    ]
    assert tiny_checkpoint.name in sidebar_text(app)
    drop(app, ("verses.zip", packed), number=1)
    assert not app.error and app.selectbox("checkpoint").value == YOURS


def test_files_that_are_too_large_together_are_refused(app):
    half = bytes(MAX_MIB * 2**20 // 2 + 1)
    drop(app.run(), ("a.json", half), ("b.json", half))
    assert errors(app) == [
        f"The checkpoint cannot be opened: the files have more than {MAX_MIB} MiB together."
    ]


def test_a_text_in_a_hostile_checkpoint_is_shown_as_text(app, packed, training):
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("config.json"):
                data = data.replace(b"words.txt", b"[x](javascript:alert(1))")
            new.writestr(name, data)
    drop(app.run(), ("**bold**.zip", made.getvalue()))
    assert app.selectbox("checkpoint").value == "Yours: **bold**"
    assert "trained on [x](javascript:alert(1))" in sidebar_text(app)
    assert "[x](" not in app.sidebar.caption[0].value


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(visitors, "WEIGHT_BYTES", 1)
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def test_a_visitor_is_told_that_others_needed_the_memory(
    app, little_memory, packed, tiny_checkpoint
):
    drop(app.run(), ("verses.zip", packed))
    other = Visitor(visitor_checkpoints())
    other.open("page", "other", "other", lambda: checkpoint.load(tiny_checkpoint))
    app.run()
    (message,) = errors(app)
    assert message.startswith(
        "verses was closed to make room for other visitors; open it again. The page shows: "
    )
    drop(app, ("verses.zip", packed), number=1)
    assert not app.error


def test_weights_without_their_vocabulary_are_refused(app, checkpoint_with_snapshots):
    files = [
        (path.name, path.read_bytes())
        for path in checkpoint_with_snapshots.iterdir()
        if path.name != TOKENIZER
    ]
    drop(app.run(), *files)
    assert "tokenizer.json is missing" in errors(app)[0]


def test_a_link_that_was_made_with_an_open_file_says_what_is_missing(app, packed, tiny_checkpoint):
    app.query_params["checkpoint"] = YOURS
    open_page(app, ATTENTION)
    (said,) = errors(app)
    assert "the checkpoint verses, opened from a file" in said and tiny_checkpoint.name in said
    assert app.selectbox("checkpoint").index == 0 and "checkpoint" not in app.query_params
    assert not app.toast
    drop(app, ("verses.zip", packed))
    assert not app.error and app.selectbox("checkpoint").value == YOURS


def test_what_a_link_lacks_can_be_closed(app):
    app.query_params["checkpoint"] = YOURS
    app.run().button("close the run").click().run()
    assert not app.error and not app.run().error

"""The choice of the text to train on."""

import pytest

from microgpt.data import TINY_SHAKESPEARE_SHA256
from microgpt.ui.cache import training as training_cache
from microgpt.ui.controls import MAX_TEXT
from tests.ui.pages import captions, component, errors, press, run_script

TEXT = "Ba do ke\nli mu\n" * 400


def page():
    import streamlit as st

    from microgpt.errors import MicroGPTError
    from microgpt.ui.train.text import checked_text, chosen_text, show_corpus

    try:
        name, content = chosen_text()
        st.session_state["chosen"] = name, content
        if content.strip():
            show_corpus(checked_text(name, content).corpus)
    except MicroGPTError as error:
        st.error(f"{error.for_visitors}.")


@pytest.fixture
def app():
    return run_script(page)


def chosen(app):
    return app.session_state["chosen"]


def test_the_page_opens_with_an_example_that_can_be_trained_on(app):
    name, content = chosen(app)
    assert name == "The log of the lighthouse" and len(content) > 5_000
    assert "written for this page" in captions(app)
    assert component(app)["size"] == len(set(content))


def test_the_first_line_names_a_pasted_text(app):
    app.text_area("training_text").set_value("\r\n" + TEXT.replace("\n", "\r\n")).run()
    assert chosen(app) == ("Ba do ke", "\n" + TEXT)
    assert f"{MAX_TEXT:,} characters" in captions(app)
    app.text_area("training_text").set_value("word " * 100).run()
    assert chosen(app)[0] == "word word word word word word word …"
    for first, name in (("It was cold.", "It was cold"), ("雨停了。", "雨停了"), ("…", "Next!")):
        app.text_area("training_text").set_value(f"{first}\nNext!\n" * 100).run()
        assert chosen(app)[0] == name


def test_the_example_is_cleared_and_put_back(app):
    content = chosen(app)[1]
    press(app, "Clear")
    assert chosen(app)[1] == "" and not app.get("bidi_component")
    press(app, "Use the example")
    assert chosen(app)[1] == content


def upload(app, name, data):
    app.segmented_control("text_from").set_value("Upload").run()
    app.file_uploader("text_file").upload(name, data, "text/plain").run()
    return app


def test_a_file_is_read_and_its_start_shown(app):
    upload(app, "café.txt", TEXT.encode("utf-16"))
    assert chosen(app) == ("café", TEXT) and not app.error
    assert app.code[0].value == TEXT[:4000].rstrip("\n") or app.code[0].value == TEXT[:4000]
    assert "The first 4,000 of" in captions(app)


def test_a_file_that_is_no_text_is_an_error(app):
    upload(app, "photo.txt", b"\xff\xd8\xff\xe0" * 100)
    assert errors(app) == ["photo.txt is not plain text in UTF-8; save it as UTF-8 text."]


def test_an_empty_file_is_an_error(app):
    upload(app, "blank.txt", b" \n")
    assert errors(app) == ["blank.txt has no text; choose another file."]


def test_a_file_that_is_too_large_is_an_error(app):
    upload(app, "long.txt", b"a" * 5_000_001)
    assert errors(app) == ["a text has at most 5 MB; long.txt is larger."]


def test_warnings_are_shown_as_text(app):
    app.text_area("training_text").set_value("a\x07b*c* " * 100).run()
    text = captions(app).replace("\\", "")
    assert "single line" in text and "U+0007" in text and "short" in text


@pytest.fixture
def no_corpus(monkeypatch, tmp_path):
    monkeypatch.setenv("MICROGPT_CACHE", str(tmp_path))
    monkeypatch.delenv("MICROGPT_DATA", raising=False)
    training_cache.tiny_shakespeare.clear()
    yield
    training_cache.tiny_shakespeare.clear()


def test_tiny_shakespeare_is_downloaded_on_request_or_the_page_says_why_not(
    app, no_corpus, monkeypatch
):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens there
    app.segmented_control("text_from").set_value("Tiny Shakespeare").run()
    assert not app.error and chosen(app)[1] == ""
    press(app, "Get the text")
    (message,) = errors(app)
    assert message.startswith("Tiny Shakespeare could not be downloaded")
    assert message.endswith("paste or upload a text of your own.") and "--data" not in message


def test_the_corpus_of_the_operator_is_used(app, no_corpus, monkeypatch, tmp_path):
    (tmp_path / "corpus.txt").write_text(TEXT, encoding="utf-8", newline="")
    monkeypatch.setattr(training_cache, "find_corpus", {TINY_SHAKESPEARE_SHA256: TEXT}.get)
    app.segmented_control("text_from").set_value("Tiny Shakespeare").run()
    press(app, "Get the text")
    assert chosen(app) == ("Tiny Shakespeare", TEXT)

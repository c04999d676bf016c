"""A JSON file that a page saves and opens again, on a page of its own."""

import pytest

from microgpt import checkpoint
from microgpt.config import ConfigError
from microgpt.formats import FORMAT
from microgpt.hub.copies import Origin
from microgpt.ui.saved_file import SavedFile, origin_fields
from tests.ui.pages import errors, open_file, run_script

RAISED = {
    kind.__name__: kind
    for kind in (ValueError, TypeError, KeyError, AttributeError, OverflowError, ConfigError)
}


def read(document):
    """Return the number of the file plus one, or raise the error that the file asks for."""
    number = document.values["number"]
    if number in RAISED:
        raise RAISED[number]("the number is not prime")
    return {"number": number + 1}


NOTE = SavedFile(
    noun="note",
    page="Notes",
    kind="microGPT note",
    fields=("number",),
    difference="the number is different",
    max_mib=1,
    read=read,
)
OTHER_FILE = "The note cannot be opened: it is not a note.json of the Notes page."


def notes_page(folder):
    """A script that shows the upload and uses the values of a file."""
    import streamlit as st

    from microgpt.checkpoint import load
    from tests.ui.test_saved_file import NOTE

    def use(values):
        st.session_state["used"] = values

    NOTE.uploader(load(folder), use)


@pytest.fixture
def page(tiny_checkpoint):
    return run_script(notes_page, tiny_checkpoint)


@pytest.fixture
def loaded(tiny_checkpoint):
    return checkpoint.load(tiny_checkpoint, Origin("folder", str(tiny_checkpoint)))


def test_a_file_says_what_it_is_and_where_it_comes_from(loaded):
    assert NOTE.name == "note.json"
    assert NOTE.content(loaded, {"number": 4}, ["number"]) == {
        "format": FORMAT,
        "optional": ["number"],
        "kind": "microGPT note",
        "checkpoint": "tiny",
        "commit": "",
        "weights_sha256": loaded.weights_sha256,
        "number": 4,
    }


def test_a_repo_is_named_in_full_and_a_folder_without_its_path(loaded, tiny_checkpoint):
    assert origin_fields(loaded)["checkpoint"] == tiny_checkpoint.name
    hub = checkpoint.load(tiny_checkpoint, Origin("hub", "user/name", "ab" * 20))
    assert origin_fields(hub)["checkpoint"] == "user/name"
    assert origin_fields(hub)["commit"] == "ab" * 20


def test_the_values_of_a_file_are_used(page, loaded):
    open_file(page, "note", NOTE.content(loaded, {"number": 4}))
    assert not page.error and not page.toast
    assert page.session_state["used"] == {"number": 5}


def test_a_file_of_format_1_has_its_kind_in_another_field(page, loaded):
    content = NOTE.content(loaded, {"number": 4})
    content["format"] = content.pop("kind")
    assert open_file(page, "note", content).session_state["used"] == {"number": 5}


def test_a_file_of_another_checkpoint_is_used_with_a_note(page, loaded):
    content = {**NOTE.content(loaded, {"number": 4}), "weights_sha256": "0" * 64}
    open_file(page, "note", content)
    assert [each.value for each in page.toast] == [
        "The note comes from another checkpoint, so the number is different."
    ]
    assert page.session_state["used"] == {"number": 5}


def test_a_file_of_a_checkpoint_on_the_hub_names_its_repo(page, loaded):
    content = {**NOTE.content(loaded, {"number": 4}), "weights_sha256": "0" * 64}
    content |= {"checkpoint": "user/name", "commit": "ab" * 20}
    open_file(page, "note", content)
    assert not page.toast
    assert page.session_state["used"] == {"number": 5, "repo": f"user/name@{'ab' * 20}"}


@pytest.mark.parametrize("number", sorted(RAISED.keys() - {"ConfigError"}))
def test_a_malformed_file_is_one_sentence(page, loaded, number):
    open_file(page, "note", NOTE.content(loaded, {"number": number}))
    assert errors(page) == [OTHER_FILE] and "used" not in page.session_state


@pytest.mark.parametrize("missing", ["number", "kind", "checkpoint", "commit", "weights_sha256"])
def test_a_file_without_one_of_its_fields_is_one_sentence(page, loaded, missing):
    content = NOTE.content(loaded, {"number": 4})
    del content[missing]
    open_file(page, "note", content)
    assert errors(page) == [OTHER_FILE] and "used" not in page.session_state


def test_a_file_of_another_kind_is_one_sentence(page, loaded):
    open_file(page, "note", {**NOTE.content(loaded, {"number": 4}), "kind": "microGPT text"})
    assert errors(page) == [OTHER_FILE] and "used" not in page.session_state


def test_an_error_of_the_values_is_shown_as_it_is(page, loaded):
    open_file(page, "note", NOTE.content(loaded, {"number": "ConfigError"}))
    assert errors(page) == ["The note cannot be opened: the number is not prime."]


def test_an_unknown_field_is_one_sentence_unless_it_is_optional(page, loaded):
    content = NOTE.content(loaded, {"number": 4, "colour": "red"})
    (sentence,) = errors(open_file(page, "note", content))
    assert sentence.startswith("The note cannot be opened: ") and "colour" in sentence
    open_file(page, "note", NOTE.content(loaded, {"number": 4, "colour": "red"}, ["colour"]))
    assert not page.error and page.session_state["used"] == {"number": 5}


def test_an_error_stays_until_another_file_is_opened(page, loaded):
    open_file(page, "note", b"nothing")
    assert errors(page) == [OTHER_FILE]
    assert errors(page.run()) == [OTHER_FILE]
    open_file(page, "note", NOTE.content(loaded, {"number": 4}))
    assert not page.error


def test_a_file_that_is_too_large_is_not_read(page):
    """The uploader's limit holds only in the browser."""
    open_file(page, "note", b" " * (2**20 + 1))
    assert errors(page) == [
        "The note cannot be opened: a note.json has at most 1 MiB; this file has 1,048,577 bytes."
    ]

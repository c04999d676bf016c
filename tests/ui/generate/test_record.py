"""The file record.json of a generated text."""

import re

import pytest

from microgpt import checkpoint
from microgpt.hub import load_folder
from microgpt.hub.copies import Origin
from microgpt.ui.generate.record import record_csv, record_json
from tests.ui.pages import errors, first_text, new_app, open_file, press

# The content of a file of format 1.
RECORD = (
    '{"format": "microGPT text", "checkpoint": "x", "commit": "", "weights_sha256": "", '
    '"prompt": "ba", "settings": {"temperature": 1, "top_k": 0, "top_p": 1, "seed": 3, '
    '"exact": false}, "length": 1e2}'
)


def test_a_record_does_not_contain_the_servers_path(app, tiny_checkpoint):
    app.run()
    text = app.session_state["generated_text"]
    loaded = load_folder(tiny_checkpoint)
    for record in (record_json(loaded, text), record_csv(loaded, text)):
        assert str(tiny_checkpoint) not in record and tiny_checkpoint.name in record


def test_a_top_k_of_0_opens_as_the_whole_vocabulary(app):
    app.run()
    open_file(app, "record", RECORD)
    assert not app.error
    assert app.slider("top_k").value == 28 and len(first_text(app)) == 102


def test_a_record_restores_its_text_and_settings(app, tiny_checkpoint):
    app.run()
    for key, value in (("length", 30), ("seed", 5)):
        app.number_input(key).set_value(value)
    app.slider("temperature").set_value(1.3)
    app.text_area("prompt").set_value("ba do").run()
    press(app, "Write")
    loaded = checkpoint.load(tiny_checkpoint, Origin("folder", "tiny"))
    record = record_json(loaded, app.session_state["generated_text"])
    text = first_text(app)
    other = new_app().run()
    assert first_text(other) != text
    open_file(other, "record", record)
    assert not other.error
    assert first_text(other) == text
    assert other.number_input("seed").value == 5 and other.slider("temperature").value == 1.3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("5", "the sampling settings must be a JSON object"),
        ("{}", "'exact' is missing in the sampling settings"),
    ],
)
def test_malformed_settings_are_an_error(app, settings, message):
    app.run()
    open_file(app, "record", re.sub('(?<="settings": )[{].*?[}]', settings, RECORD))
    assert errors(app) == [f"The record cannot be opened: {message}."]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"format": "microGPT text"}',
        b"[" * 100_000,
        RECORD.replace('"ba"', '"\\ud800"').encode(),
        RECORD.replace(', "commit": ""', "").encode(),
        *(RECORD.replace("1e2", length).encode() for length in ("1e999", "NaN", '"1"', "true")),
        *(RECORD.replace('"ba"', prompt).encode() for prompt in ("null", "5", "true", '["ba"]')),
        RECORD.replace('"x"', '"\\ud800/x"').replace('"commit": ""', '"commit": "main"').encode(),
    ],
)
def test_a_malformed_file_is_an_error(app, content):
    app.run()
    before = first_text(app)
    open_file(app, "record", content)
    assert errors(app) == [
        "The record cannot be opened: it is not a record.json of the Generate page."
    ]
    assert first_text(app) == before

import dataclasses
import sys

import pytest

from microgpt.checkpoint.card_parts import code, front_matter, one_line, procedure


@pytest.mark.parametrize(
    ("text", "line"),
    [("a  b\n\tc", "a b c"), ("a\u2028b\x00\ud800c", "a b c"), ("café 😀", "café 😀"), ("", "")],
    ids=ascii,
)
def test_untrusted_text_is_put_on_one_line(text, line):
    assert one_line(text) == line


def test_a_code_span_has_no_backticks_and_is_never_empty():
    assert code("`a` | b\n") == "`'a' | b`"
    assert code("\n") == "`unknown`"


def test_there_is_no_metadata_without_the_hubs_client(monkeypatch):
    assert "pipeline_tag: translation" in front_matter("translation", ["dates"], None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert front_matter("translation", ["dates"], None) == ""


def test_an_imported_model_has_the_settings_of_the_model_only(training, tiny_config):
    imported = dataclasses.replace(training, imported="ckpt.pt")
    assert "from `ckpt.pt`" in procedure(tiny_config, imported)
    assert "| batch_size |" in procedure(tiny_config, training)
    assert "| batch_size |" not in procedure(tiny_config, imported)

import re

import pytest

from microgpt.ui.glossary import GLOSSARY, with_definitions

TERM = r'<span class="term" tabindex="0" data-definition="[^"<>]+">{}</span>'


@pytest.mark.parametrize("term", GLOSSARY)
def test_a_term_is_explained_in_singular_and_plural(term):
    for word in (term, term.capitalize(), f"{term}s"):
        assert re.fullmatch(
            f"The {TERM.format(word)}, here.", with_definitions(f"The {word}, here.")
        )


def test_a_definition_is_a_sentence():
    for definition in GLOSSARY.values():
        assert re.fullmatch(r"[A-Z].*\.", definition)


def test_only_the_first_occurrence_is_explained():
    text = with_definitions("A head and another head.")
    assert text.count("<span") == 1 and text.endswith("another head.")


def test_the_longest_term_is_explained():
    assert ">validation split</span>" in with_definitions("On the validation split.")


@pytest.mark.parametrize("text", ["`head`", "[head](x)", "ahead", "multi-head", "headless"])
def test_code_links_and_parts_of_words_stay(text):
    assert with_definitions(text) == text

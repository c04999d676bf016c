import pytest

from microgpt.ui.charts.style import position_names
from microgpt.ui.text import counted, escaped, highlighted, markdown


@pytest.mark.parametrize("char", list(r"\`*_[]<>#$:~|&"))
def test_markdown_characters_are_escaped(char):
    assert escaped(f"a{char}b") == f"a\\{char}b"


def test_a_count_has_its_noun():
    assert [counted(each, "layer") for each in (0, 1, 2000)] == [
        "0 layers",
        "1 layer",
        "2,000 layers",
    ]


def test_lines_are_joined():
    assert escaped("a\nb\r\nc") == "a b  c"


def test_half_of_a_surrogate_pair_is_replaced():
    assert escaped("caf\udce9") == "caf?"


@pytest.mark.parametrize("address", ["https://a.example", "WWW.a.example", "a@b.example"])
def test_an_address_does_not_become_a_link(address):
    assert "\u2060" in escaped(address)
    assert escaped(address).replace("\u2060", "").replace("\\", "") == address


def test_a_character_without_a_glyph_is_shown_by_its_sign():
    assert escaped("a\u202eb\u2069\0c") == "a⟨202E⟩b⟨2069⟩⟨NUL⟩c"
    assert "⟨ZWJ⟩" in highlighted("a\u200db", {"a"}, 0)


def test_a_name_of_a_right_to_left_character_stays_isolated():
    assert markdown(position_names("א")[0]) == "\u2068א\u2069 (1)"


def test_the_direction_of_an_excerpt_is_that_of_its_letters():
    assert highlighted("אב", {"ב"}, 1).startswith('<pre dir="auto"')


def test_an_excerpt_marks_the_given_characters_and_escapes_the_rest():
    html = highlighted("a<b€", {"€"}, 3)
    assert "a&lt;b<mark" in html and ">€</mark></pre>" in html and "…" not in html
    long = highlighted("a" * 500 + "€" + "b" * 500, {"€"}, 500)
    assert long.count("…") == 2 and "€</mark>" in long and len(long) < 600


@pytest.mark.parametrize("text", ["- item", "+ item", "1. one", "=", " a"])
def test_the_start_of_a_text_makes_no_list_and_no_line(text):
    assert escaped(text).startswith("\u2060")


@pytest.mark.parametrize("text", ["a -> b", "a -- b", "a >= b", ":material/delete:"])
def test_the_inside_of_a_text_makes_no_arrow_and_no_icon(text):
    assert "\u2060" in escaped(text)
    assert escaped(text).replace("\u2060", "").replace("\\", "") == text

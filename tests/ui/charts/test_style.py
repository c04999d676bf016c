import sys

import pytest

from microgpt.ui.charts.style import menu, position_names, sign, signs_in_text


def test_the_menu_saves_the_given_format_and_name():
    assert menu("a")["toImageButtonOptions"]["format"] == "svg"
    options = menu("a", "png")["toImageButtonOptions"]
    assert (options["format"], options["filename"]) == ("png", "a")


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        ("a", "a"),
        ("\n", "⏎"),
        (" ", "␣"),
        ("\t", "⇥"),
        ("\r", "⟨CR⟩"),
        ("\0", "⟨NUL⟩"),
        ("\x7f", "⟨007F⟩"),
        ("\x85", "⟨0085⟩"),
        ("\u00a0", "⍽"),
        ("\u3000", "␣␣"),
        ("\u00ad", "⟨SHY⟩"),
        ("\u200d", "⟨ZWJ⟩"),
        ("\u202e", "⟨202E⟩"),
        ("\ufeff", "⟨BOM⟩"),
        ("\ufe0f", "⟨FE0F⟩"),
        ("\u3164", "⟨3164⟩"),
        ("\u2028", "⟨2028⟩"),
        ("\U000e0100", "⟨E0100⟩"),
        ("\u0301", "◌\u0301"),
        ("\u093e", "◌\u093e"),
        ("⏎", "⟨23CE⟩"),
        ("😀", "😀"),
        ("א", "א"),
    ],
    ids=ascii,
)
def test_a_character_without_a_glyph_has_a_sign(char, shown):
    assert sign(char) == shown


def test_each_character_has_a_sign_of_its_own():
    everything = [chr(code) for code in range(sys.maxunicode + 1)]
    signs = [sign(char) for char in everything]
    assert len(set(signs)) == len(everything)


def test_running_text_needs_signs_only_for_what_has_no_glyph():
    assert signs_in_text("a \n\t\r\u0301\u200dא") == {"\r": "⟨CR⟩", "\u200d": "⟨ZWJ⟩"}


def test_a_name_isolates_a_right_to_left_character():
    assert position_names("aא3") == ["a (1)", "\u2068א\u2069 (2)", "3 (3)"]
    assert position_names("aא3", isolate=False) == ["a (1)", "א (2)", "3 (3)"]

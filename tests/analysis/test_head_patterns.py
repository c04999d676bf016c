import pytest
import torch

from microgpt.analysis.head_patterns import PATTERNS, texts
from microgpt.tokenizer import CharTokenizer

LETTERS = CharTokenizer("\n ab")


def test_windows_are_in_order_with_their_starts():
    data = torch.tensor(LETTERS.encode("ab\n\nba ba"))
    first, second = texts(data, 4, LETTERS)
    assert first.ids.tolist() + second.ids.tolist() == data[:8].tolist()
    assert first.starts.tolist() == [True, False, False, False]
    assert second.starts.tolist() == [True, False, False, False], "after the empty line before it"
    assert (first.newline, first.space) == (0, 1)
    assert texts(data, 4, CharTokenizer("abcd"))[0].newline == -1


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("aa\naa\n\naa", [0, 7]),
        ("\naa\n", [1]),
        ("\n\naa", [2]),
        ("\n\n\n\na", [4]),
        ("\n\n\n", []),
        ("a\n\n", [0]),
    ],
    ids=repr,
)
def test_a_speaker_starts_the_text_or_follows_an_empty_line(text, starts):
    (window,) = texts(torch.tensor(LETTERS.encode(text)), len(text), LETTERS)
    assert window.starts.nonzero().flatten().tolist() == starts


@pytest.mark.parametrize("text", ["ab a\n\nb", "ab", "a"], ids=repr)
def test_every_pattern_selects_keys_for_every_query(text):
    size = len(text)
    (window,) = texts(torch.tensor(LETTERS.encode(text)), size, LETTERS)
    for name, pattern in PATTERNS.items():
        keys = pattern.keys(window)
        assert keys.dtype == torch.bool, name
        assert torch.broadcast_shapes(keys.shape, (size, size)) == (size, size), name

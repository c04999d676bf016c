import torch

from microgpt.analysis.head_patterns import PATTERNS, texts
from microgpt.tokenizer import CharTokenizer

LETTERS = CharTokenizer("\n ab")


def test_windows_are_in_order_and_mark_the_starts_of_speakers():
    data = torch.tensor(LETTERS.encode("ab\n\nba ba"))
    first, second = texts(data, 4, LETTERS)
    assert first.ids.tolist() + second.ids.tolist() == data[:8].tolist()
    assert first.starts.tolist() == [True, False, False, False]
    assert second.starts.tolist() == [True, False, False, False]  # after the first's empty line
    assert (first.newline, first.space) == (0, 1)
    assert texts(data, 4, CharTokenizer("abcd"))[0].newline == -1


def test_every_pattern_selects_keys_for_every_query():
    (text,) = texts(torch.tensor(LETTERS.encode("ab a\n\nb")), 7, LETTERS)
    for name, pattern in PATTERNS.items():
        keys = pattern.keys(text)
        assert keys.dtype == torch.bool, name
        assert torch.broadcast_shapes(keys.shape, (7, 7)) == (7, 7), name

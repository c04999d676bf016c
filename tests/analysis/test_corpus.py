import pytest

from microgpt.analysis.corpus import ENOUGH_TIMES, SHORT, decoded, describe, with_unix_line_ends
from microgpt.data import DataError, split
from microgpt.tokenizer import REPLACEMENT

TEXT = "ba do\nke li\n" * 500


def test_a_text_is_described_as_the_training_splits_it():
    corpus = describe(TEXT)
    parts = split([0] * len(TEXT), 8)
    assert (corpus.train, corpus.val) == (len(parts.train), len(parts.val))
    assert corpus.characters == len(TEXT) and corpus.vocab_size == len(set(TEXT)) == 10
    assert corpus.counts[:3] == (("\n", 1000), (" ", 1000), ("a", 500))
    assert (corpus.rare, corpus.replaced, corpus.warnings) == (0, 0, ())


@pytest.mark.parametrize("length", [1, 2, 81, 82, 655])
def test_the_longest_context_window_is_the_longest_that_the_split_allows(length):
    longest = describe("a" * length).longest
    if longest:
        split([0] * length, longest)
    with pytest.raises(DataError):
        split([0] * length, longest + 1)


def test_many_rare_characters_become_one():
    rare = "".join(map(chr, range(0x4E00, 0x4E00 + 200)))
    corpus = describe(TEXT + rare)
    assert (corpus.rare, corpus.replaced) == (ENOUGH_TIMES, 200)
    assert dict(corpus.counts)[REPLACEMENT] == 200 and corpus.vocab_size == 11
    assert describe(TEXT + rare[:100]).rare == 0


def test_a_vocabulary_that_no_model_can_have_is_made_smaller():
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 5000))) * 6
    corpus = describe(many)
    assert corpus.rare == 7 and corpus.vocab_size == 1


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("ba do\n" * 100, "short"),
        ("ba do " * 2000, "single line"),
        ("ba\x07do\n" * 2000, "such as U+0007"),
        ("a" * SHORT, "only one character"),
    ],
)
def test_a_probable_mistake_has_a_warning(text, part):
    assert part in " ".join(describe(text).warnings)


def test_a_broken_character_is_refused():
    with pytest.raises(DataError, match="broken"):
        describe("ab\ud800" * 100)


def test_files_of_usual_encodings_are_read():
    for data in ("süß".encode(), b"\xef\xbb\xbf" + "süß".encode(), "süß".encode("utf-16")):
        assert decoded("a.txt", data) == "süß"
    for data in ("süß".encode("latin-1"), b"\xff\xfe\x00"):
        with pytest.raises(DataError, match="save it as UTF-8"):
            decoded("a.txt", data)


def test_line_ends_become_newlines():
    assert with_unix_line_ends("\ufeffa\r\nb\rc\n") == "a\nb\nc\n"

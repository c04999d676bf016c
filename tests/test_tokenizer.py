import json

import pytest

from microgpt.tokenizer import CharTokenizer, TokenizerError, UnknownCharacterError


def test_the_vocabulary_is_the_sorted_characters():
    tokenizer = CharTokenizer.from_text("hello\nworld")
    assert tokenizer.characters == "\ndehlorw"
    assert tokenizer.vocab_size == 8
    assert tokenizer.encode("hold") == [3, 5, 4, 1]
    assert tokenizer.decode([3, 5, 4, 1]) == "hold"


def test_decoding_inverts_encoding(tokenizer, corpus):
    ids = tokenizer.encode(corpus)
    assert min(ids) == 0
    assert max(ids) == tokenizer.vocab_size - 1
    assert tokenizer.decode(ids) == corpus
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


def test_a_tokenizer_is_written_to_json_and_read_back():
    tokenizer = CharTokenizer.from_text('a "quote", a \\, é, 😀\n')
    text = tokenizer.to_json()
    assert text.isascii()
    assert CharTokenizer.from_json(text).characters == tokenizer.characters


def test_an_error_names_each_unknown_character_and_its_first_position():
    tokenizer = CharTokenizer.from_text("abc ")
    with pytest.raises(UnknownCharacterError) as caught:
        tokenizer.encode("aé b’é’")
    assert caught.value.positions == {"é": 1, "’": 4}
    assert "'é' (position 2)" in str(caught.value)
    assert "'’' (position 5)" in str(caught.value)


def test_an_error_names_only_the_first_unknown_characters():
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
    with pytest.raises(UnknownCharacterError) as caught:
        CharTokenizer.from_text("abc").encode(text)
    assert len(caught.value.positions) == 3000
    assert "'一' (position 1)" in str(caught.value)
    assert str(caught.value).endswith(" and 2,992 others")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("vocabulary", "text", "replaced"),
    [
        ("acefs' ", "café’s", "cafe's"),
        ('a"', "“a”", '"a"'),
        ("a'", "“a”", "'a'"),
        ("fi", "ﬁ", "fi"),
        ("ab-", "a—b", "a--b"),
        ("ab", "a😀b", "ab"),
        ("aé", "aé", "aé"),
        # The same letter, composed or decomposed.
        ("'elté", "l'e\u0301te\u0301", "l'été"),
        ("elt\u0301", "été", "e\u0301te\u0301"),
        ("éx", "e\u0301\u0323x", "éx"),
        ("한", "\u1112\u1161\u11ab", "한"),
        ("\u1112\u1161\u11ab", "한", "\u1112\u1161\u11ab"),
        # The other case, before a letter without the accent.
        ("té", "ÉTÉ", "été"),
        ("ET", "été", "ETE"),
        ("Eté", "École", "éE"),
        ("SS", "ß", "SS"),
        # A character of the vocabulary with the same plain form.
        ("né", "nêe", "néé"),
        ("’“”n", 'n\' "n"', "n’“n“"),
        ("’n", '"n"', "’n’"),
        ("१२३", "3١２", "३१२"),
        ("123", "३١２", "312"),
        ("，。中", "中,", "中，"),
        ("ابي", "أَبِي", "ابي"),
        # White space.
        ("ab ", "a\tb\nb", "a b b"),
        ("ab\n", "a\r\nb\rb", "a\nb\nb"),
        ("ab", "a b\u200d\ufeff", "ab"),
    ],
)
def test_unknown_characters_are_replaced_by_similar_ones(vocabulary, text, replaced):
    assert CharTokenizer.from_text(vocabulary).replace_unknown(text) == replaced


@pytest.mark.parametrize("characters", ["", "ba", "aab", "a\ud800"], ids=ascii)
def test_a_vocabulary_that_is_not_sorted_unique_unicode_is_refused(characters):
    with pytest.raises(TokenizerError):
        CharTokenizer(characters)


def test_a_vocabulary_has_at_most_4096_characters():
    most = "".join(chr(0x4E00 + i) for i in range(4096))
    assert CharTokenizer(most).vocab_size == 4096
    with pytest.raises(TokenizerError, match="4,097 different characters; at most 4,096"):
        CharTokenizer.from_text(most + chr(0x4E00 + 4096))


def test_the_replacement_character_stands_for_unknown_ones():
    tokenizer = CharTokenizer.from_text("abé\ufffd")
    assert tokenizer.fold("abc€") == "ab\ufffd\ufffd"
    assert tokenizer.replace_unknown("Éx€a\u0301") == "é\ufffd\ufffda"
    assert CharTokenizer.from_text("ab").fold("abc") == "abc", "it is not in this vocabulary"


def test_the_ends_of_lines_become_newlines_unless_the_vocabulary_has_others():
    """A text file of Windows for a model whose program read it in Python's text mode."""
    assert CharTokenizer.from_text("ab\n").fold("a\r\nb\ra") == "a\nb\na"
    assert CharTokenizer.from_text("ab\r\n").fold("a\r\nb\ra") == "a\r\nb\ra"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "3",
        "null",
        "{}",
        '{"characters": 3}',
        '{"characters": ["a", "b"]}',
        '{"characters": "\\ud800"}',
        "[" * 100_000,
        json.dumps({"characters": "ba"}),
    ],
    ids=range(11),
)
def test_a_malformed_file_is_refused(text):
    with pytest.raises(TokenizerError):
        CharTokenizer.from_json(text)

import json
import pickle

import pytest

from microgpt.interop import InteropError
from microgpt.interop.vocabulary import check_size, check_tokens, read_vocabulary, vocabulary_of


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("meta.pkl", pickle.dumps({"vocab_size": 3, "stoi": {"b": 1, "a": 2, "é": 0}})),
        ("meta.pkl", pickle.dumps({"itos": {0: "é", 1: "b", 2: "a"}})),
        ("c.json", json.dumps("éba").encode()),
        ("c.json", json.dumps(["é", "b", "a"]).encode()),
        ("c.json", json.dumps({"a": 2, "b": 1, "é": 0}).encode()),
        ("c.json", json.dumps({"characters": "éba", "format": 2}).encode()),
        ("c.txt", "éba".encode()),
    ],
    ids=str,
)
def test_the_characters_are_in_the_order_of_their_ids(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert read_vocabulary(path) == "éba"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"stoi": {"a": 0, "the": 1}}, "BPE"),
        ({"stoi": {"a": 0, "b": 2}}, "from 0"),
        ({"stoi": {"a": 0, "b": 0}}, "from 0"),
        ({"stoi": 3}, "must hold the characters"),
        (["a", "a"], "twice"),
        (["a", 1], "token 1"),
        ({"1": []}, "from 0"),
    ],
    ids=str,
)
def test_another_vocabulary_is_refused(tmp_path, content, says):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InteropError, match=says):
        read_vocabulary(path)


def test_the_vocabulary_of_a_text_is_sorted(tmp_path):
    (tmp_path / "text.txt").write_bytes(b"ba\r\nab")
    assert vocabulary_of(tmp_path / "text.txt") == "\nab"


def test_the_size_must_be_that_of_the_model():
    assert check_size(2, "ab") == "ab"
    for characters, says in (("ab", "has 2"), (None, "--data")):
        with pytest.raises(InteropError, match=says):
            check_size(3, characters)


@pytest.mark.parametrize("size", [4097, 50257, 50304])
def test_a_vocabulary_too_large_for_characters_is_refused(size):
    check_tokens(4096)
    with pytest.raises(InteropError, match="BPE"):
        check_tokens(size)


def nested() -> list:
    """Lists that hold each other, which as text would have 10^40 characters."""
    value: list = []
    for _ in range(40):
        value = [value] * 10
    return value


def cyclic() -> dict:
    value: dict = {}
    value["stoi"] = value
    return value


@pytest.mark.parametrize(
    "value",
    [cyclic(), nested(), {"stoi": {"a": nested()}}, {"itos": {0: nested()}}, {"itos": {0: {}}}],
    ids=range(5),
)
def test_a_pickle_of_nested_values_is_refused(tmp_path, value):
    (tmp_path / "meta.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(InteropError, match=r"meta\.pkl"):
        read_vocabulary(tmp_path / "meta.pkl")

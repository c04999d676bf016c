import os
import pickle
import struct

import pytest

from microgpt.interop import InteropError
from microgpt.interop.pickles import MAX_BYTES, read_pickle

META = {
    "vocab_size": 3,
    "stoi": {"a": 0, "é": 1, "\n": 2},
    "itos": {0: "a", 1: "é", 2: "\n"},
    "more": [1.5, None, True, -300, 2**40, ()],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_are_read_as_pickle_reads_them(protocol):
    data = pickle.dumps({**META, "more": META["more"][:-1]}, protocol)
    assert read_pickle("meta.pkl", data) == pickle.loads(data)


class Harmful:
    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path, protocol):
    mark = tmp_path / "mark"
    for value in (Harmful(str(mark)), {"stoi": Harmful(str(mark))}, {"a": {1, 2}}):
        with pytest.raises(InteropError, match=r"could run code|cannot be read"):
            read_pickle("meta.pkl", pickle.dumps(value, protocol))
    assert not mark.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"\x80\x04",
        pickle.dumps(META)[:-10],
        b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"a.",  # a text of 4 EiB
        b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"\x01.",  # a number of 2 GiB
        b"\x80\x02K\x01r" + struct.pack("<I", 2**32 - 1) + b".."[:1],  # a memo of 4 billion entries
        b"(" * 100_000 + b".",
        b"\x80\x04" + b"]" * 200_000 + b"a" * 199_999 + b".",  # lists in lists
        b"\x80\x04}" + b")" * 3 + b"s.",
        b"}]K\x01s.",  # a list as a key
        b"I" + b"9" * 10_000 + b"\n.",
        b"not a pickle at all",
    ],
    ids=range(13),
)
def test_a_hostile_or_damaged_pickle_ends_in_one_sentence_or_a_plain_value(data):
    try:
        found = read_pickle("meta.pkl", data)
    except InteropError as error:
        assert "meta.pkl" in str(error)
    else:
        assert isinstance(found, int | list)


def test_a_large_pickle_is_not_read():
    with pytest.raises(InteropError, match="at most"):
        read_pickle("meta.pkl", b" " * (MAX_BYTES + 1))

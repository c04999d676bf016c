"""The vocabulary of a model from outside: single characters, in the order of their ids."""

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from microgpt.config import MODEL_LIMITS
from microgpt.data import read_text
from microgpt.formats import decode, parse_json_value
from microgpt.interop import InteropError
from microgpt.interop.pickles import MAX_BYTES, read_pickle

# The sizes of GPT-2's vocabulary of byte pairs: its own, and padded by nanoGPT.
_GPT2_SIZES = (50257, 50304)


def read_vocabulary(path: Path) -> str:
    """The characters in a file, in the order of their ids.

    A .pkl file is nanoGPT's meta.pkl. A .json file holds a text, a list of characters, or an object
    with the id of each character or with `stoi` or `characters`. Any other file holds the
    characters themselves, and nothing else. Raises InteropError or FormatError.
    """
    name = path.name
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InteropError(f"{name} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise InteropError(f"{name} has more than {MAX_BYTES:,} bytes, the most for a vocabulary")
    if path.suffix in (".pkl", ".pickle"):
        return _characters(name, read_pickle(name, data))
    if path.suffix == ".json":
        return _characters(name, parse_json_value(name, data))
    return _joined(name, decode(name, data))


def vocabulary_of(path: Path) -> str:
    """The characters of a text, sorted: their order in nanoGPT and in the lecture.

    Like them, it reads every end of a line as a newline. Raises DataError.
    """
    text = read_text(path).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(sorted(set(text)))


def _characters(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        found = [value[key] for key in ("stoi", "characters", "itos") if key in value]
        value = found[0] if found else value
    if isinstance(value, str | list):
        return _joined(name, value)
    if not isinstance(value, Mapping):
        raise InteropError(f"{name} must hold the characters of the vocabulary")
    if all(type(key) is int for key in value):  # itos
        by_id = dict(value)
    elif all(isinstance(key, str) for key in value):
        numbers = {str(i): i for i in range(len(value))}
        ids = [numbers.get(each) if isinstance(each, str) else each for each in value.values()]
        by_id = {i: char for i, char in zip(ids, value, strict=True) if type(i) is int}
    else:
        raise InteropError(f"{name} must give an id to each character")
    if by_id.keys() != set(range(len(value))):
        raise InteropError(f"{name} must number its characters from 0, each with its own id")
    return _joined(name, [by_id[i] for i in range(len(value))])


def _joined(name: str, tokens: Sequence[Any] | Iterable[Any]) -> str:
    """Join the tokens; each must be one character, and no two the same."""
    tokens = list(tokens)
    for token in tokens:
        if not isinstance(token, str) or len(token) != 1:
            raise InteropError(
                f"{name} holds the token {reprlib.repr(token)}, as a BPE or word vocabulary does; "
                "microGPT has a vocabulary of single characters"
            )
    if len(set(tokens)) < len(tokens):
        raise InteropError(f"{name} holds a character twice")
    return "".join(tokens)


def check_tokens(size: int) -> None:
    """Raise InteropError if a vocabulary is too large to be one of characters."""
    if size in _GPT2_SIZES or size > MODEL_LIMITS["vocab_size"][1]:
        raise InteropError(
            f"this model has a vocabulary of {size:,} tokens, like GPT-2's BPE vocabulary; "
            "microGPT has a vocabulary of single characters"
        )


def check_size(size: int, characters: str | None) -> str:
    """The characters, if they are as many as the vocabulary of a model. Raises InteropError."""
    if characters is None:
        raise InteropError(
            f"the file does not say which {size} characters the model knows; pass meta.pkl, a "
            ".json or .txt file with the characters in the order of their ids, or --data TEXT"
        )
    if len(characters) != size:
        raise InteropError(
            f"the model knows {size:,} characters and the vocabulary has {len(characters):,}; pass "
            "the vocabulary that it was trained with"
        )
    return characters

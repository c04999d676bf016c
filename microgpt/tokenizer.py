"""A character is a token: the tokenizer is the sorted list of a corpus's characters."""

import json
from collections.abc import Iterable
from typing import Self

from microgpt.config import MODEL_LIMITS


class TokenizerError(ValueError):
    """A tokenizer file is malformed."""


class UnknownCharacterError(ValueError):
    """A text has characters outside the vocabulary; `positions` maps each to where it first stands."""

    def __init__(self, positions: dict[str, int]):
        self.positions = positions
        named = ", ".join(f"{char!r} (position {at + 1})" for char, at in positions.items())
        super().__init__(f"not in the vocabulary: {named}")


class CharTokenizer:
    """Maps characters to ids 0 … V-1 in sorted order, and back."""

    def __init__(self, characters: str):
        """Take the vocabulary, one character each. Raises TokenizerError unless sorted and unique."""
        if not characters or sorted(set(characters)) != list(characters):
            raise TokenizerError("a vocabulary must be one or more characters, sorted, each once")
        if len(characters) > MODEL_LIMITS["vocab_size"][1]:
            raise TokenizerError(
                f"the text has {len(characters)} different characters; "
                f"at most {MODEL_LIMITS['vocab_size'][1]} are supported"
            )
        self.characters = characters
        self._ids = {char: i for i, char in enumerate(characters)}

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Make the vocabulary of a corpus. Raises TokenizerError when it is empty or too large."""
        return cls("".join(sorted(set(text))))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what to_json wrote. Raises TokenizerError."""
        try:
            characters = json.loads(text)["characters"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise TokenizerError('a tokenizer must be a JSON object with "characters"') from error
        if not isinstance(characters, str):
            raise TokenizerError('"characters" of a tokenizer must be one string')
        return cls(characters)

    def to_json(self) -> str:
        return json.dumps({"characters": self.characters}, indent=1) + "\n"

    @property
    def vocab_size(self) -> int:
        return len(self.characters)

    def unknown(self, text: str) -> dict[str, int]:
        """Each character of text outside the vocabulary, and the index where it first stands."""
        positions: dict[str, int] = {}
        for at, char in enumerate(text):
            if char not in self._ids:
                positions.setdefault(char, at)
        return positions

    def encode(self, text: str) -> list[int]:
        """The ids of a text. Raises UnknownCharacterError."""
        if positions := self.unknown(text):
            raise UnknownCharacterError(positions)
        return [self._ids[char] for char in text]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids 0 … V-1."""
        return "".join(self.characters[i] for i in ids)

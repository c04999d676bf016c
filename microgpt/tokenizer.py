"""A character is a token: the tokenizer is the sorted list of a corpus's characters."""

import json
import unicodedata
from collections.abc import Iterable
from typing import Self

from microgpt.config import MODEL_LIMITS
from microgpt.errors import MicroGPTError
from microgpt.formats import FormatError, read_json, stamped

# What typewriters had instead: the replacements that Unicode's decompositions do not offer.
_PLAIN = {
    **dict.fromkeys("‘’‚‛′`", "'"),
    **dict.fromkeys("“”„«»″", '"'),
    **dict.fromkeys("‐‑‒–−", "-"),
    **{"—": "--", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ß": "ss", "ø": "o", "Ø": "O"},
    **{"\t": " ", "\r": "\n"},
}


class TokenizerError(MicroGPTError):
    """A tokenizer file is malformed."""


class UnknownCharacterError(MicroGPTError):
    """A text has characters outside the vocabulary; `positions` maps each to its first index."""

    def __init__(self, positions: dict[str, int]):
        self.positions = positions
        named = ", ".join(f"{char!r} (position {at + 1})" for char, at in positions.items())
        super().__init__(f"not in the vocabulary: {named}")


class CharTokenizer:
    """Maps characters to ids 0 … V-1 in sorted order, and back."""

    def __init__(self, characters: str):
        """Take the vocabulary. Raises TokenizerError unless it is sorted, unique and real text."""
        if not characters or sorted(set(characters)) != list(characters):
            raise TokenizerError("a vocabulary must be one or more characters, sorted, each once")
        if len(characters) > MODEL_LIMITS["vocab_size"][1]:
            raise TokenizerError(
                f"the text has {len(characters)} different characters; "
                f"at most {MODEL_LIMITS['vocab_size'][1]} are supported"
            )
        if any("\ud800" <= char <= "\udfff" for char in characters):
            raise TokenizerError("a vocabulary must not hold halves of a surrogate pair")
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
            document = read_json("tokenizer.json", text)
            characters = document.known(document.values, ["characters"]).get("characters")
        except FormatError as error:
            raise TokenizerError(str(error)) from error
        if not isinstance(characters, str):
            raise TokenizerError('a tokenizer must be a JSON object with the text "characters"')
        return cls(characters)

    def to_json(self) -> str:
        return json.dumps(stamped({"characters": self.characters}), indent=1) + "\n"

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

    def replace_unknown(self, text: str) -> str:
        """The text with each unknown character replaced by its plain form, or left out.

        Accents go, typographic quotes and dashes become plain ones, a double quote that is not
        in the vocabulary becomes a single one, and what has no plain form is dropped.
        """
        return "".join(char if char in self._ids else self._plain(char) for char in text)

    def _plain(self, char: str) -> str:
        plain = unicodedata.normalize("NFKD", _PLAIN.get(char, char))
        if '"' in plain and '"' not in self._ids:
            plain = plain.replace('"', "'")
        return "".join(c for c in plain if c in self._ids)

    def encode(self, text: str) -> list[int]:
        """The ids of a text. Raises UnknownCharacterError."""
        if positions := self.unknown(text):
            raise UnknownCharacterError(positions)
        return [self._ids[char] for char in text]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids 0 … V-1."""
        return "".join(self.characters[i] for i in ids)

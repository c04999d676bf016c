"""The tokenizer: each character is a token, and the vocabulary is sorted."""

import json
import unicodedata
from collections.abc import Iterable
from typing import Self

from microgpt.config import MODEL_LIMITS
from microgpt.errors import MicroGPTError
from microgpt.formats import FormatError, read_json, stamped

# Plain replacements that Unicode normalisation (NFKD) does not give.
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
    """A text has characters outside the vocabulary.

    positions: the index, from 0, of the first occurrence of each of them.
    """

    def __init__(self, positions: dict[str, int]):
        self.positions = positions
        named = ", ".join(f"{char!r} (position {at + 1})" for char, at in positions.items())
        super().__init__(f"not in the vocabulary: {named}")


class CharTokenizer:
    """Maps characters to ids 0 … V-1 in sorted order, and back."""

    def __init__(self, characters: str):
        """Use these characters as the vocabulary.

        Raises TokenizerError unless they are sorted, unique, within the limit and valid Unicode.
        """
        if not characters or sorted(set(characters)) != list(characters):
            raise TokenizerError("a vocabulary must be one or more characters, sorted and unique")
        if len(characters) > MODEL_LIMITS["vocab_size"][1]:
            raise TokenizerError(
                f"the text has {len(characters)} different characters; "
                f"at most {MODEL_LIMITS['vocab_size'][1]} are supported"
            )
        if any("\ud800" <= char <= "\udfff" for char in characters):
            raise TokenizerError("a vocabulary must not contain surrogate code points")
        self.characters = characters
        self._ids = {char: i for i, char in enumerate(characters)}

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Make a tokenizer for a corpus.

        Raises TokenizerError if the corpus is empty or has too many different characters.
        """
        return cls("".join(sorted(set(text))))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Make a tokenizer from the output of to_json. Raises TokenizerError."""
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
        """Map each character of the text outside the vocabulary to its first index, from 0."""
        positions: dict[str, int] = {}
        for at, char in enumerate(text):
            if char not in self._ids:
                positions.setdefault(char, at)
        return positions

    def replace_unknown(self, text: str) -> str:
        """Replace each unknown character of a text by a plain form, or remove it.

        Accents are removed. Typographic quotes and dashes become plain ones. A double quote becomes
        a single quote if the vocabulary has only that. A character without a plain form is removed.
        """
        return "".join(char if char in self._ids else self._plain(char) for char in text)

    def _plain(self, char: str) -> str:
        plain = unicodedata.normalize("NFKD", _PLAIN.get(char, char))
        if '"' in plain and '"' not in self._ids:
            plain = plain.replace('"', "'")
        return "".join(c for c in plain if c in self._ids)

    def encode(self, text: str) -> list[int]:
        """Convert a text to ids. Raises UnknownCharacterError."""
        if positions := self.unknown(text):
            raise UnknownCharacterError(positions)
        return [self._ids[char] for char in text]

    def decode(self, ids: Iterable[int]) -> str:
        """Convert ids 0 … V-1 to text."""
        return "".join(self.characters[i] for i in ids)

"""The tokenizer: each character is a token, and the vocabulary is sorted."""

import json
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from typing import Self

from microgpt.config import MODEL_LIMITS
from microgpt.errors import MicroGPTError
from microgpt.formats import FormatError, read_json, stamped

# If the vocabulary has this character, it stands for every character outside the vocabulary.
REPLACEMENT = "\ufffd"
_MAX_NAMED = 8  # unknown characters that a message names
# Plain replacements that Unicode normalisation (NFKD) does not give.
_PLAIN = {
    **dict.fromkeys("‘’‚‛′`", "'"),
    **dict.fromkeys("“”„«»″", '"'),
    **dict.fromkeys("‐‑‒–−", "-"),
    **{"—": "--", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ß": "ss", "ø": "o", "Ø": "O"},
    **{"\t": " ", "\r": "\n"},
}
# Replacements for characters of which the vocabulary has no other form.
_LAST_RESORT = {'"': "'", "\n": " "}


class TokenizerError(MicroGPTError):
    """A tokenizer file is malformed."""


class UnknownCharacterError(MicroGPTError):
    """A text has characters outside the vocabulary.

    positions: the index, from 0, of the first occurrence of each of them. The message names the
    first few.
    """

    def __init__(self, positions: dict[str, int]):
        self.positions = positions
        first = list(positions.items())[:_MAX_NAMED]
        named = ", ".join(f"{char!r} (position {at + 1})" for char, at in first)
        if others := len(positions) - len(first):
            named += f" and {others:,} other{'s' * (others > 1)}"
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
                f"the text has {len(characters):,} different characters; "
                f"at most {MODEL_LIMITS['vocab_size'][1]:,} are supported"
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

    def fold(self, text: str) -> str:
        """Replace each unknown character of a text by REPLACEMENT, if the vocabulary has that.

        Without a carriage return in the vocabulary, every end of a line becomes a newline.
        """
        if self.unknown("\r"):
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        unknown = self.unknown(text)
        if not unknown or self.unknown(REPLACEMENT):
            return text
        return text.translate(dict.fromkeys(map(ord, unknown), REPLACEMENT))

    def replace_unknown(self, text: str) -> str:
        """Replace each unknown character of a text by another form of it, or remove it.

        These forms are tried in this order: the same letter composed or decomposed (NFC, NFD), the
        other case, the plain form without accents, with plain quotes and dashes, and a character of
        the vocabulary with the same plain form, such as é for e. A character without any of these
        forms becomes REPLACEMENT if the vocabulary has that, and is removed otherwise.
        """
        if self.unknown("\r"):
            text = text.replace("\r\n", "\n")
        return "".join(map(self._replaced, _letters(text)))

    def _replaced(self, letter: str) -> str:
        """A known form of a character with its combining marks, else REPLACEMENT or ""."""
        composed = unicodedata.normalize("NFC", letter)
        for form in (letter, composed, composed.swapcase()):
            for each in (form, unicodedata.normalize("NFD", form)):
                if not self.unknown(each):
                    return each
        similar = "".join(map(self._similar, composed))
        return similar or ("" if self.unknown(REPLACEMENT) else REPLACEMENT)

    def _similar(self, char: str) -> str:
        """A character of the vocabulary, or several, with the same plain form; "" if none."""
        plain = "".join(map(self._from_plain, _plain(char)))
        if not plain and (last := _LAST_RESORT.get(_plain(char))):
            return self._from_plain(last)
        return plain

    def _from_plain(self, char: str) -> str:
        """A character of the vocabulary with this plain form, "" if there is none."""
        for form in (char, char.swapcase()):
            if not self.unknown(form):
                return form
        return self._by_plain.get(char, "") or self._by_plain.get(char.swapcase(), "")

    @cached_property
    def _by_plain(self) -> dict[str, str]:
        """The first character of the vocabulary with each plain form."""
        return {_plain(char): char for char in reversed(self.characters)}

    def encode(self, text: str) -> list[int]:
        """Convert a text to ids. Raises UnknownCharacterError."""
        if positions := self.unknown(text):
            raise UnknownCharacterError(positions)
        return [self._ids[char] for char in text]

    def decode(self, ids: Iterable[int]) -> str:
        """Convert ids 0 … V-1 to text."""
        return "".join(self.characters[i] for i in ids)


def _plain(char: str) -> str:
    """A character without accents and in its plain typographic form; for a digit, 0 to 9."""
    plain = unicodedata.normalize("NFKD", _PLAIN.get(char, char))
    bare = "".join(each for each in plain if not unicodedata.combining(each)) or plain
    return "".join(str(unicodedata.digit(each, each)) for each in bare)


def _letters(text: str) -> list[str]:
    """Split a text into characters with their combining marks, and Hangul into syllables."""
    letters: list[str] = []
    for char in text:
        combines = unicodedata.category(char)[0] == "M" or "\u1160" <= char <= "\u11ff"
        if combines and letters:
            letters[-1] += char
        else:
            letters.append(char)
    return letters

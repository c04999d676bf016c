"""What a model will see of a text: its characters and their counts, its split, likely mistakes."""

import unicodedata
from collections import Counter
from dataclasses import dataclass

from microgpt.config import MODEL_LIMITS
from microgpt.data import TRAIN_FRACTION, DataError, count_that_fits
from microgpt.formats import FormatError, decode
from microgpt.tokenizer import REPLACEMENT

# With more than MANY_RARE characters that occur fewer than ENOUGH_TIMES times, these become one
# character. They are too rare to be learned, and each of them makes the model larger.
MANY_RARE, ENOUGH_TIMES = 100, 5
# A model learns little but the text itself from fewer characters than this.
SHORT = 5_000
_KEPT = "\n\t"  # control characters that belong in a text
_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Corpus:
    """A text as a model sees it.

    counts: (character, count) pairs, the most frequent first, after rare characters became one.
    train, val: the number of characters in each split. rare: characters that occur fewer times than
    this become one character, 0 for none; replaced: how many different ones do. longest: the
    longest context window that the text allows, 0 if it allows none. warnings: sentences about
    probable mistakes.
    """

    counts: tuple[tuple[str, int], ...]
    train: int
    val: int
    rare: int
    replaced: int
    longest: int
    warnings: tuple[str, ...]

    @property
    def characters(self) -> int:
        return self.train + self.val

    @property
    def vocab_size(self) -> int:
        return len(self.counts)


def decoded(name: str, data: bytes) -> str:
    """The text of an untrusted file: UTF-8, or UTF-16 with a byte order mark. Raises DataError."""
    try:
        return decode(name, data, _ENCODINGS.get(data[:2], "utf-8-sig"))
    except (FormatError, UnicodeError) as error:
        raise DataError(f"{name} is not plain text in UTF-8; save it as UTF-8 text") from error


def with_unix_line_ends(text: str) -> str:
    """The text without byte order mark and with one newline character at the end of each line."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def describe(text: str) -> Corpus:
    """Describe a text that is not empty. Raises DataError for characters that UTF-8 lacks."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError("the text has a broken character; copy it again") from error
    counts = Counter(text)
    rare = _rare(text, counts)
    replaced = {char for char, times in counts.items() if times < rare}
    for char in replaced:
        counts[REPLACEMENT] += counts.pop(char)
    train = int(TRAIN_FRACTION * len(text))
    order = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    val = len(text) - train
    return Corpus(
        tuple(order), train, val, rare, len(replaced), max(0, val - 1), tuple(_warnings(text))
    )


def _rare(text: str, counts: Counter[str]) -> int:
    rare = sum(times < ENOUGH_TIMES for times in counts.values())
    fits = count_that_fits(text, int(MODEL_LIMITS["vocab_size"][1]))
    return max(fits, ENOUGH_TIMES) if fits or rare > MANY_RARE else 0


def _warnings(text: str) -> list[str]:
    warnings = []
    if len(text) < SHORT:
        warnings.append(
            f"The text is short. From fewer than about {SHORT:,} characters, a model learns little "
            "but the text itself."
        )
    if "\n" not in text.strip():
        warnings.append("The text is a single line, so the model will not learn where lines end.")
    control = Counter(
        char for char in set(text) if unicodedata.category(char) == "Cc" and char not in _KEPT
    )
    if control:
        code = f"U+{ord(min(control)):04X}"
        warnings.append(
            f"The text has control characters, such as {code}. A file that is no plain text has "
            "such characters; the model would learn to write them."
        )
    if len(set(text)) == 1:
        warnings.append("The text has only one character, so there is nothing to learn.")
    return warnings

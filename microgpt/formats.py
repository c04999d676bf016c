"""Versioned file formats: the rules for every reader and writer.

The field `format` of a file is the version of the formats that it was written in. A file without it
has format 1. A later version may add fields. A reader gives a missing field its default. It refuses
an unknown field, unless the file lists that field in `optional`; then it ignores the field, as a
PNG reader ignores ancillary chunks. The meaning of a field and its default never change. A new
meaning needs a new name.

docs/formats.md describes every file.
"""

import json
import re
import reprlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from itertools import chain
from typing import Any

from microgpt.errors import MicroGPTError

# The format that this version writes, the same for every file. Increase it with the first field
# that is added after a release, and keep an example of each file in tests/data/format_<number>/.
FORMAT = 2
# Metadata for a dataclass field, field(default=…, metadata=IGNORABLE), that older readers may
# ignore. Files list such a field in `optional`.
IGNORABLE = {"ignorable": True}
# The deepest nesting of lists and objects in a JSON text; our own files have about 5.
MAX_DEPTH = 32
# A cell of a CSV file that a spreadsheet treats as a formula; one character alone is no formula.
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠].", re.DOTALL)
_NUMBER = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", re.IGNORECASE)


class FormatError(MicroGPTError):
    """A file is malformed, or has a field that this version does not know."""


@dataclass(frozen=True)
class Document:
    """The content of a file.

    name: the file's name, for messages. values: its fields. format: the format that it was written
    in. optional: the names of the fields that a reader may ignore.
    """

    name: str
    values: Mapping[str, Any]
    format: int = 1
    optional: Collection[str] = ()

    @classmethod
    def of(cls, name: str, values: Mapping[str, Any]) -> "Document":
        """Separate `format` and `optional` from the other fields. Raises FormatError."""
        rest = dict(values)
        number, optional = rest.pop("format", 1), rest.pop("optional", [])
        if type(number) is not int or not 1 <= number < 10**6:
            raise FormatError(
                f"the format of {name} is {reprlib.repr(number)}; it must be a whole number from 1"
            )
        if not isinstance(optional, list) or not all(isinstance(each, str) for each in optional):
            raise FormatError(f'"optional" of {name} must be a list of names')
        return cls(name, rest, number, frozenset(optional))

    def known(
        self, values: Mapping[str, Any], names: Iterable[str], noun: str = "field"
    ) -> dict[str, Any]:
        """Return the entries of an object in the file that have one of these names.

        noun: what the message calls an entry. An unknown entry is ignored if the file lists it in
        `optional`. Raises FormatError for any other unknown entry.
        """
        names = set(names)
        for name in values:
            if name in names or name in self.optional:
                continue
            shown = reprlib.repr(name)
            if self.format > FORMAT:
                raise FormatError(
                    f"{self.name} has the {noun} {shown}, which this version of microGPT does not "
                    f"know; it was written in format {self.format} and this version reads up to "
                    f"{FORMAT}: update microGPT"
                )
            raise FormatError(f"unknown {noun} {shown} in {self.name}")
        return {name: value for name, value in values.items() if name in names}


def decode(name: str, data: bytes, encoding: str = "utf-8") -> str:
    """Decode the untrusted content of a text file. Raises FormatError."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise FormatError(f"{name} cannot be read: it is not UTF-8 text") from error


@contextmanager
def reading(error: type[MicroGPTError], what: str) -> Iterator[None]:
    """Raise `error`, with one sentence, for any exception while an untrusted file is read.

    what: the part of the checkpoint that the file holds.
    """
    try:
        yield
    except FormatError as raised:
        raise error(str(raised)) from raised
    except Exception as raised:  # a malformed file may raise anything
        raise error(f"the checkpoint's {what} cannot be read") from raised


def parse_json_value(name: str, data: str | bytes) -> Any:
    """Parse an untrusted JSON text. Raises FormatError.

    A value that is nested deeper than MAX_DEPTH is refused, so that no recursive function that
    reads it later exceeds Python's limit.
    """
    try:
        value = json.loads(data if isinstance(data, str) else decode(name, data))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name} cannot be read: it is not JSON") from error
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        objects = (each.values() if isinstance(each, dict) else each for each in level)
        level = [each for each in chain.from_iterable(objects) if isinstance(each, dict | list)]
    if level:
        raise FormatError(f"{name} cannot be read: it is nested too deeply")
    return value


def parse_json(name: str, data: str | bytes) -> dict[str, Any]:
    """Parse an untrusted file that holds a JSON object. Raises FormatError."""
    values = parse_json_value(name, data)
    if not isinstance(values, dict):
        raise FormatError(f"{name} must hold a JSON object")
    return values


def read_json(name: str, data: str | bytes) -> Document:
    """Parse an untrusted JSON file as a Document. Raises FormatError."""
    return Document.of(name, parse_json(name, data))


def stamped(values: Mapping[str, Any], optional: Iterable[str] = ()) -> dict[str, Any]:
    """Add `format`, and `optional` unless it is empty, to the fields of a file."""
    listed = sorted(set(optional))
    return {"format": FORMAT, **({"optional": listed} if listed else {}), **values}


def required_fields(cls: type) -> set[str]:
    """The names of the fields of a dataclass that have no default."""
    return {
        field.name
        for field in fields(cls)
        if field.default is MISSING and field.default_factory is MISSING
    }


def ignorable_fields(value: Any, of_format_1: Collection[str] = ()) -> set[str]:
    """The names of the fields of a dataclass object that an older reader may ignore.

    These are the fields that were added after format 1 and are declared IGNORABLE or have their
    default value. An older reader behaves as if a field had its default.
    """
    return {
        field.name
        for field in fields(value)
        if field.name not in of_format_1
        and (field.metadata.get("ignorable") or getattr(value, field.name) == field.default)
    }


def defused(cell: str, prefix: str = "'") -> str:
    """Put a prefix before a cell that a spreadsheet treats as a formula, and before no other.

    Such a cell, for example =HYPERLINK("…"), may come from an untrusted checkpoint or text.
    Source: OWASP, CSV injection.
    """
    is_formula = _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return prefix + cell if is_formula else cell

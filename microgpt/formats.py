"""File formats that can grow: what every reader and writer of a file does with its version.

Every file says in `format` which version of the formats it was written in; a file without it is
of format 1. A later version may add fields. A reader fills a field that the file lacks with its
default, and refuses a field that it does not know, unless the file lists it in `optional`: such a
field can be left out, as the ancillary chunks of a PNG can. The meaning of a field and its default
never change; a field with another meaning gets another name.

docs/formats.md describes every file.
"""

import json
import reprlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from microgpt.errors import MicroGPTError

# The format this version writes, the same number in every file. Raise it with the first field that
# is added after a release, and keep an example of each file in tests/data/format_<number>/.
FORMAT = 2
# A dataclass field declared with field(default=…, metadata=IGNORABLE) changes nothing for a reader
# that does not know it: the files that hold it list it in `optional`.
IGNORABLE = {"ignorable": True}


class FormatError(MicroGPTError):
    """A file is malformed, or has a field that this version of the program does not know."""


@dataclass(frozen=True)
class Document:
    """What a file says: its fields, the format it was written in, the fields that are optional.

    name: the file's name, for messages.
    """

    name: str
    values: Mapping[str, Any]
    format: int = 1
    optional: Collection[str] = ()

    @classmethod
    def of(cls, name: str, values: Mapping[str, Any]) -> "Document":
        """Take `format` and `optional` from the other fields of a file. Raises FormatError."""
        rest = dict(values)
        number, optional = rest.pop("format", 1), rest.pop("optional", [])
        if type(number) is not int or not 1 <= number < 10**6:
            raise FormatError(
                f"the format of {name} is {reprlib.repr(number)}, not a number from 1"
            )
        if not isinstance(optional, list) or not all(isinstance(each, str) for each in optional):
            raise FormatError(f'"optional" of {name} must be a list of names')
        return cls(name, rest, number, frozenset(optional))

    def known(
        self, values: Mapping[str, Any], names: Iterable[str], noun: str = "field"
    ) -> dict[str, Any]:
        """The entries of one of the file's objects that have one of these names.

        An unknown optional entry is left out. Raises FormatError for any other unknown one.
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


def parse_json(name: str, data: str | bytes) -> dict[str, Any]:
    """The JSON object in a file that may be anyone's. Raises FormatError."""
    try:
        values = json.loads(data if isinstance(data, str) else data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError(f"{name} cannot be read: it is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name} cannot be read: it is not JSON") from error
    if not isinstance(values, dict):
        raise FormatError(f"{name} must hold a JSON object")
    return values


def read_json(name: str, data: str | bytes) -> Document:
    """Read a file that holds a JSON object. Raises FormatError."""
    return Document.of(name, parse_json(name, data))


def stamped(values: Mapping[str, Any], optional: Iterable[str] = ()) -> dict[str, Any]:
    """What a file holds: its format, the names of the fields that are optional, its fields."""
    listed = sorted(set(optional))
    return {"format": FORMAT, **({"optional": listed} if listed else {}), **values}


def required_fields(cls: type) -> set[str]:
    """The names of a dataclass's fields that have no default."""
    return {
        field.name
        for field in fields(cls)
        if field.default is MISSING and field.default_factory is MISSING
    }


def ignorable_fields(value: Any, of_format_1: Collection[str] = ()) -> set[str]:
    """The names of a dataclass's later fields that a reader which does not know them can leave out.

    They are those declared IGNORABLE and those that have their default, which such a reader acts
    on anyway.
    """
    return {
        field.name
        for field in fields(value)
        if field.name not in of_format_1
        and (field.metadata.get("ignorable") or getattr(value, field.name) == field.default)
    }

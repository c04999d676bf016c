"""Which values a widget allows, and which of them is nearest to a value from a link or a file."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Allowed(Protocol):
    """The values that a widget allows.

    default: the value that the widget has at first. read: converts the texts of a query parameter
    to a value, None if it cannot. nearest: converts any value to an allowed one. texts: converts an
    allowed value to the texts of a query parameter.
    """

    @property
    def default(self) -> Any: ...

    def read(self, texts: Sequence[str]) -> Any: ...

    def nearest(self, value: object) -> Any: ...

    def texts(self, value: Any) -> list[str]: ...


@dataclass(frozen=True)
class Numbers:
    """Numbers from least to most; whole numbers if the default is one."""

    least: float
    most: float
    default: float

    def read(self, texts: Sequence[str]) -> float | None:
        return _number(texts[-1])

    def nearest(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            return self.default
        within = min(max(value, self.least), self.most)
        return int(within) if isinstance(self.default, int) else float(within)

    def texts(self, value: float) -> list[str]:
        return [str(value)]


@dataclass(frozen=True)
class OneOf:
    """One of several options; another number becomes the nearest number among the options."""

    options: Sequence[Any]
    default: Any

    def read(self, texts: Sequence[str]) -> Any:
        return _by_text(self.options, str).get(texts[-1], _number(texts[-1]))

    def nearest(self, value: object) -> Any:
        if any(same(value, option) for option in self.options):
            return value
        numbers = [option for option in self.options if type(option) is int]
        if not numbers or isinstance(value, bool) or not isinstance(value, int | float):
            return self.default
        if math.isnan(value):
            return self.default
        within = min(max(value, min(numbers)), max(numbers))
        return min(numbers, key=lambda number: abs(number - within))

    def texts(self, value: Any) -> list[str]:
        return [str(value)]


@dataclass(frozen=True)
class SomeOf:
    """Any number of options. label: the text of an option on the page."""

    options: Sequence[Any]
    default: Sequence[Any] = ()
    label: Callable[[Any], str] = str

    def read(self, texts: Sequence[str]) -> list[Any]:
        by_text = _by_text(self.options, self.label)
        return [by_text.get(text) for text in texts if text]

    def nearest(self, value: object) -> list[Any]:
        given = value if isinstance(value, list) else [None]
        known = [each for each in given if any(same(each, option) for option in self.options)]
        return list(dict.fromkeys(known)) if known or not given else list(self.default)

    def texts(self, value: Sequence[Any]) -> list[str]:
        return [self.label(each) for each in value]


@dataclass(frozen=True)
class Switch:
    """On or off."""

    default: bool = False

    def read(self, texts: Sequence[str]) -> bool | None:
        return {"true": True, "false": False}.get(texts[-1].lower())

    def nearest(self, value: object) -> bool:
        return value if isinstance(value, bool) else self.default

    def texts(self, value: bool) -> list[str]:
        return [str(value).lower()]


def same(value: object, other: object) -> bool:
    """Whether two values are equal, where 1 equals 1.0 but not True."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _by_text(options: Sequence[Any], label: Callable[[Any], str]) -> dict[str, Any]:
    return {label(option): option for option in options}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None

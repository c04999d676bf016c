"""The task `dates`: dates in words, and the same dates as ISO 8601 writes them.

    the 3rd of March, 2024  →  2024-03-03

A phrase is a template with a form of each field, so the same tables write phrases and read them.
With dots the day comes first (3.4.2024), with slashes the month (4/3/2024).
"""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

FIRST, LAST = date(1900, 1, 1), date(2099, 12, 31)
FIELDS = ("year", "month", "day")
# The places of each field in an ISO date.
ISO_SPANS = {"year": range(4), "month": range(5, 7), "day": range(8, 10)}
# Every tenth day, such as 3 March 2024, is held out: no phrase of these days is trained on.
_EVERY = 10
_HELD_OUT = date(2024, 3, 3).toordinal() % _EVERY

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NTHS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
    *("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth"),
    *("seventeenth", "eighteenth", "nineteenth", "twentieth"),
)
# `day` and `month_number` are numbers, `nth` is an ordinal, `month` a name or an abbreviation.
TEMPLATES = (
    "{day} {month} {year}",
    "{day} {month}, {year}",
    "{day}. {month} {year}",
    "{day}-{month}-{year}",
    "{nth} {month} {year}",
    "{nth} of {month} {year}",
    "the {nth} of {month} {year}",
    "the {nth} of {month}, {year}",
    "{month} {day} {year}",
    "{month} {day}, {year}",
    "{month} {nth}, {year}",
    "{month} the {nth}, {year}",
    "{year} {month} {day}",
    "{year}, {month} {day}",
    "{year}, {month} the {nth}",
    "{year}, the {nth} of {month}",
    "{day}.{month_number}.{year}",
    "{month_number}/{day}/{year}",
    "{year}-{month_number}-{day}",
)
# Half of the phrases begin with the weekday.
PREFIXES = ("", "", "", "{weekday}, ", "{weekday} ", "on {weekday}, ")
# Most phrases are written as the tables have them, some in small and few in capital letters.
_SMALL, _CAPITAL = 0.25, 0.05
# Held-out phrases for demonstrations: each field in a different place and form.
EXAMPLES = (
    "the 3rd of March, 2024",
    "Saturday, July 14, 2012",
    "1993, December the thirty-first",
    "29.2.1996",
)


def _numbers(count: int) -> dict[int, tuple[str, ...]]:
    return {n: tuple(dict.fromkeys((str(n), f"{n:02}"))) for n in range(1, count + 1)}


def _ordinal(n: int) -> tuple[str, str]:
    """An ordinal in digits and in words, such as 22nd and twenty-second."""
    teens = 10 < n % 100 < 20
    suffix = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    tens = {2: "twenty", 3: "thirty"}.get(n // 10, "")
    words = "thirtieth" if n == 30 else _NTHS[n - 1] if n <= 20 else f"{tens}-{_NTHS[n % 10 - 1]}"
    return f"{n}{suffix}", words


def _names(names: tuple[str, ...], start: int) -> dict[int, tuple[str, ...]]:
    """Each name, its first three letters, and these with a full stop."""
    return {
        i: (name,) if len(name) == 3 else (name, name[:3], f"{name[:3]}.")
        for i, name in enumerate(names, start)
    }


# The forms of each value of a field, by the name of its place in a template.
FORMS: dict[str, Mapping[int, tuple[str, ...]]] = {
    "day": _numbers(31),
    "nth": {n: _ordinal(n) for n in range(1, 32)},
    "month": _names(_MONTHS, 1),
    "month_number": _numbers(12),
    "year": {year: (str(year),) for year in range(FIRST.year, LAST.year + 1)},
    "weekday": _names(_WEEKDAYS, 0),
}
# The field that a place in a template tells.
_FIELD = {"day": "day", "nth": "day", "month": "month", "month_number": "month", "year": "year"}


@dataclass(frozen=True)
class Phrase:
    """A phrase of the task, and its date.

    spans: for each of FIELDS, the positions of the characters that tell it.
    """

    text: str
    date: date
    spans: dict[str, range]

    @property
    def iso(self) -> str:
        """The date as YYYY-MM-DD."""
        return self.date.isoformat()


def is_held_out(day: date) -> bool:
    """Whether no phrase of a day is trained on: every tenth day, all its phrases."""
    return day.toordinal() % _EVERY == _HELD_OUT


def phrases(generator: random.Random) -> Iterator[tuple[str, date]]:
    """Endless phrases of random days from FIRST to LAST, with their dates."""
    # Of the generator's methods, only random() gives the same numbers in every Python version.
    draw = generator.random
    first, days = FIRST.toordinal(), (LAST - FIRST).days + 1
    while True:
        day = date.fromordinal(first + int(days * draw()))
        template = PREFIXES[int(len(PREFIXES) * draw())] + TEMPLATES[int(len(TEMPLATES) * draw())]
        values = {"day": day.day, "nth": day.day, "month": day.month, "month_number": day.month}
        values |= {"year": day.year, "weekday": day.weekday()}
        chosen = {}
        for place, value in values.items():
            forms = FORMS[place][value]
            chosen[place] = forms[int(len(forms) * draw())]
        text, case = template.format_map(chosen), draw()
        if case < _SMALL:
            text = text.lower()
        elif case < _SMALL + _CAPITAL:
            text = text.upper()
        yield text, day


def lines(generator: random.Random) -> Iterator[str]:
    """Endless lines of a phrase, a tab and its ISO date."""
    for text, day in phrases(generator):
        yield f"{text}\t{day.isoformat()}\n"


def is_line_held_out(line: str) -> bool:
    """Whether a line of `lines` is not trained on."""
    return is_held_out(date.fromisoformat(line.rstrip().partition("\t")[2]))


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """For each prefix and template, a pattern with a group for each place."""
    groups = {
        place: f"(?P<{place}>{'|'.join(map(re.escape, _longest_first(place)))})" for place in FORMS
    }
    wholes = (prefix + template for prefix in dict.fromkeys(PREFIXES) for template in TEMPLATES)
    return tuple(re.compile(_escaped(each).format_map(groups), re.IGNORECASE) for each in wholes)


def _escaped(template: str) -> str:
    return template.replace(".", r"\.")


def _longest_first(place: str) -> list[str]:
    return sorted(_values(place), key=len, reverse=True)


@cache
def _values(place: str) -> dict[str, int]:
    """The value of each form of a place, in small letters."""
    return {form.lower(): value for value, forms in FORMS[place].items() for form in forms}


def read(text: str) -> Phrase | None:
    """Read a phrase that the task could have written, in any case; None for any other text.

    None too for a date that does not exist, such as 30 February, and for a wrong weekday.
    """
    for pattern in _patterns():
        if (match := pattern.fullmatch(text)) is None:
            continue
        found = {place: _values(place)[part.lower()] for place, part in match.groupdict().items()}
        fields = {_FIELD[place]: value for place, value in found.items() if place in _FIELD}
        spans = {_FIELD[place]: range(*match.span(place)) for place in found if place in _FIELD}
        try:
            day = date(**fields)
        except ValueError:
            continue
        if found.get("weekday", day.weekday()) == day.weekday():
            return Phrase(text, day, {field: spans[field] for field in FIELDS})
    return None

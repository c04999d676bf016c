import hashlib
import re
from datetime import date, timedelta
from itertools import islice, pairwise
from random import Random

import pytest

from microgpt.dates import (
    EXAMPLES,
    FIELDS,
    FIRST,
    LAST,
    TEMPLATES,
    is_held_out,
    is_line_held_out,
    lines,
    phrases,
    read,
)

MANY = 4000


@pytest.fixture(scope="module")
def made() -> list[tuple[str, date]]:
    return list(islice(phrases(Random(0)), MANY))


def test_the_same_seed_gives_the_same_phrases_in_every_version_of_python():
    text = "".join(islice(lines(Random(1337)), 500))
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "811971c41aba1755bcab479c243d255f783413ffd9ed8ed1c8424e097cf87fb2"
    )
    assert "".join(islice(lines(Random(1338)), 500)) != text


def test_only_random_of_the_generator_is_used():
    class OnlyRandom:
        random = Random(1337).random

    assert list(islice(lines(OnlyRandom()), 50)) == list(islice(lines(Random(1337)), 50))


def test_a_line_is_a_phrase_a_tab_and_its_iso_date():
    for line in islice(lines(Random(0)), 200):
        text, iso = line.removesuffix("\n").split("\t")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", iso)
        assert read(text).iso == iso


def test_every_phrase_can_be_read_and_tells_its_date(made):
    for text, day in made:
        phrase = read(text)
        assert (phrase.text, phrase.date) == (text, day)
        assert list(phrase.spans) == list(FIELDS)
        assert text[phrase.spans["year"].start : phrase.spans["year"].stop] == str(day.year)
        places = [i for span in phrase.spans.values() for i in span]
        assert len(set(places)) == len(places)


def test_days_are_from_all_years_months_and_days_with_leap_days(made):
    days = [day for _, day in made]
    assert min(days) >= FIRST and max(days) <= LAST
    assert {day.month for day in days} == set(range(1, 13))
    assert {day.day for day in days} == set(range(1, 32))
    assert len({day.year for day in days}) == LAST.year - FIRST.year + 1
    leap = [day for _, day in islice(phrases(Random(1)), 20_000) if (day.month, day.day) == (2, 29)]
    assert leap and all(day.year % 4 == 0 and day.year != 1900 for day in leap)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("the 3rd of March, 2024", "2024-03-03"),
        ("3 march 2024", "2024-03-03"),
        ("MARCH THE TWENTY-SECOND, 1999", "1999-03-22"),
        ("on Wed., 2039 October 12", "2039-10-12"),
        ("1.2.2003", "2003-02-01"),
        ("1/2/2003", "2003-01-02"),
        ("2000-02-29", "2000-02-29"),
        ("11th May 1911", "1911-05-11"),
        ("thirtieth of Sep. 2050", "2050-09-30"),
    ],
)
def test_what_a_phrase_means(text, iso):
    assert read(text).iso == iso


@pytest.mark.parametrize(
    "text",
    [
        *("", "hello", "30 February 2024", "29.2.1900", "3 March 1899", "3 March 2100"),
        *("Monday, 3 March 2024", "3rth March 2024", "3  March 2024", "the 3rd of March 2024."),
        *("32 March 2024", "1.13.2000", "13/13/2000"),
    ],
)
def test_other_texts_are_not_phrases(text):
    assert read(text) is None


def test_spans_are_the_characters_that_tell_a_field():
    phrase = read("Sunday, the twenty-first of Jan., 2001")
    told = {name: phrase.text[span.start : span.stop] for name, span in phrase.spans.items()}
    assert told == {"year": "2001", "month": "Jan.", "day": "twenty-first"}


def test_every_tenth_day_is_held_out_with_all_its_phrases(made):
    days = [FIRST + timedelta(i) for i in range((LAST - FIRST).days + 1)]
    held_out = [day for day in days if is_held_out(day)]
    assert {b - a for a, b in pairwise(held_out)} == {timedelta(10)}
    assert date(2024, 3, 3) in held_out
    for text, day in made:
        assert is_line_held_out(f"{text}\t{day.isoformat()}\n") == is_held_out(day)


def test_the_examples_are_held_out_phrases_in_different_orders():
    found = [read(each) for each in EXAMPLES]
    assert all(is_held_out(phrase.date) for phrase in found)
    orders = {tuple(sorted(FIELDS, key=lambda f: p.spans[f].start)) for p in found}
    assert len(orders) == 3


def test_all_templates_are_written(made):
    assert len(TEMPLATES) == len(set(TEMPLATES)) == 19
    shapes = {re.sub(r"[A-Za-z]+\.?", "a", re.sub(r"\d+", "0", text)) for text, _ in made}
    assert {"0.0.0", "0/0/0", "0-0-0", "0-a-0", "0 a 0", "a 0, 0", "0, a 0"} <= shapes

import dataclasses

import pytest

from microgpt import checkpoint, dates
from microgpt.pairs import SourceError
from microgpt.tokenizer import CharTokenizer, UnknownCharacterError
from microgpt.ui.cross_attention.date import examples, problem, verdict
from tests.pair_checkpoint import CONFIG


@pytest.fixture(scope="module")
def loaded(pair_checkpoint):
    return checkpoint.load_pairs(pair_checkpoint)


def test_the_examples_are_those_of_the_snapshots(loaded):
    assert examples(loaded) == list(dates.EXAMPLES)
    assert examples(dataclasses.replace(loaded, snapshots=None)) == list(dates.EXAMPLES)


def test_a_model_that_knows_no_date_has_an_example_of_one_character(loaded):
    other = dataclasses.replace(loaded, tokenizer=CharTokenizer("\t\n xyz"), snapshots=None)
    assert examples(other) == ["x"]


@pytest.mark.parametrize(
    ("text", "kind"), [("1 May", None), ("", SourceError), ("1 May €", UnknownCharacterError)]
)
def test_a_problem_of_a_text(loaded, text, kind):
    found = problem(loaded, text)
    assert found is None if kind is None else isinstance(found, kind)


def test_a_text_whose_maps_are_too_large_is_a_problem(loaded, monkeypatch):
    monkeypatch.setattr("microgpt.ui.cross_attention.date.longest_source", lambda config: 10)
    assert problem(loaded, "1 May 2000") is None
    assert str(problem(loaded, "11 May 2000")).startswith(
        "the text has 11 characters, and the page"
    )
    assert CONFIG.source_size > 11


@pytest.mark.parametrize(
    ("text", "output", "kind", "starts"),
    [
        ("1 May 2000", "2000-05-01", "right", "Right"),
        ("1 May 2000", "2000-05-10", "wrong", "Wrong: it is 2000-05-01."),
        ("hello", "2000-05-10", "unknown", "No date from 1900 to 2099 in a form"),
        ("30 February 2000", "2000-02-30", "unknown", "No date"),
        ("4 July 1776", "1976-07-04", "unknown", "No date from 1900"),
        ("5/6/2001", "2001-05-06", "right", "Right. With slashes, the month comes first."),
        ("5/6/2001", "2001-06-05", "wrong", "Wrong: it is 2001-05-06. With slashes, the month"),
    ],
)
def test_what_is_known_about_an_output(loaded, text, output, kind, starts):
    found = verdict(loaded, text, output)
    assert found.kind == kind and found.text.startswith(starts)


def test_a_held_out_date_is_said_to_be_new_to_the_model(loaded):
    phrase = dates.read(dates.EXAMPLES[0])
    assert dates.is_held_out(phrase.date)
    assert "no phrase of this date" in verdict(loaded, phrase.text, phrase.iso).text
    assert verdict(loaded, "1 May 2000", "2000-05-01").text == "Right."


def test_a_model_of_another_task_has_no_verdict(loaded):
    config = dataclasses.replace(loaded.training.config, task="text")
    other = dataclasses.replace(
        loaded, training=dataclasses.replace(loaded.training, config=config)
    )
    assert verdict(other, "1 May 2000", "x").text == ""

import dataclasses

import pytest

from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import DataError
from microgpt.training.job_limits import MAX_PARAMETERS, MAX_TEXT_BYTES, check_request
from microgpt.training.job_status import JobError
from microgpt.training.sizes import SIZES
from tests.training.small_job import SHAPE, SHORT

LETTERS = "".join(map(chr, range(0x4E00, 0x4E00 + 5000)))


def test_the_text_is_returned_in_utf_8(corpus):
    for size in SIZES.values():
        assert check_request(corpus, size.model, size.train) == corpus.encode()


@pytest.mark.parametrize(
    ("text", "model", "train", "said"),
    [
        ("\ud800" * 1000, SHAPE, SHORT, "not valid Unicode"),
        ("é" * (MAX_TEXT_BYTES // 2 + 1), SHAPE, SHORT, "5.0 MB; at most 5 MB"),
        ("", SHAPE, SHORT, "at least 161 characters; this one has 0"),
        ("a" * 160, SHAPE, SHORT, "this one has 160"),
        (LETTERS, SHAPE, SHORT, "5,000 different characters.*fewer than 2 times"),
        (LETTERS[:4000], GPTConfig(block_size=64), SHORT, "at most 2,000,000"),
        (
            "ab" * 2000,
            SHAPE,
            dataclasses.replace(SHORT, task="repeats"),
            "run here trains on a text",
        ),
        ("ab" * 2000, SHAPE, TrainConfig(steps=20_001), "at most 20,000 steps"),
        ("ab" * 2000, SHAPE, TrainConfig(snapshot_count=61), "at most 60 snapshots"),
    ],
)
def test_what_a_visitor_may_not_train(text, model, train, said):
    with pytest.raises((JobError, DataError), match=said) as raised:
        check_request(text, model, train)
    assert "--" not in raised.value.for_visitors


def test_rare_characters_do_not_count():
    rare = dataclasses.replace(SHORT, rare=2)
    text = LETTERS + "ab" * 2000
    assert check_request(text, SHAPE, rare) == text.encode()


def test_the_model_of_the_seed_is_too_large(corpus):
    assert MAX_PARAMETERS < 10_788_929
    with pytest.raises(JobError, match="lower its layers or channels"):
        check_request(corpus, GPTConfig(), SHORT)

import dataclasses
import hashlib
import string
from itertools import islice
from random import Random

import pytest

from microgpt import tasks
from microgpt.config import TASKS, TrainConfig
from microgpt.hub import BUNDLED, load_bundled
from microgpt.tasks import LENGTH, MAKERS, repeats, task_text


def test_every_task_but_text_has_a_maker():
    assert ("text", *MAKERS) == TASKS
    assert task_text(TrainConfig()) is None


@pytest.mark.parametrize("task", MAKERS)
def test_the_text_of_a_task_is_made_from_the_seed(task, monkeypatch):
    monkeypatch.setattr(tasks, "LENGTH", 10_000)
    config = TrainConfig(task=task)
    text = task_text(config)
    assert 10_000 <= len(text) < 10_100 and text.endswith("\n")
    assert task_text(config) == text
    assert task_text(dataclasses.replace(config, seed=config.seed + 1)) != text


def test_a_line_of_repeats_is_written_twice():
    lines = list(islice(repeats(Random(0)), 2000))
    halves = [line.split()[0] for line in lines]
    assert lines == [f"{half} {half}\n" for half in halves]
    assert {len(half) for half in halves} == set(range(8, 27))
    assert "".join(sorted(set("".join(halves)))) == string.ascii_lowercase
    assert len(set(halves)) == len(halves)


def test_the_text_of_the_bundled_checkpoint_can_be_made_again():
    training = load_bundled(BUNDLED[1]).training
    text = task_text(training.config)
    assert len(text) >= LENGTH
    assert hashlib.sha256(text.encode()).hexdigest() == training.data_sha256

"""The encoder–decoder that comes with the program is what the README says of it."""

import hashlib
from pathlib import Path

import pytest

from microgpt import checkpoint
from microgpt.checkpoint import PairCheckpoint
from microgpt.checkpoint.pair_card import render
from microgpt.dates import EXAMPLES, read
from microgpt.tasks import task_text
from microgpt.tokenizer import CharTokenizer
from microgpt.training.presets import PRESETS
from microgpt.translate import translate_all

FOLDER = Path(__file__).parents[1] / "assets" / "checkpoints" / "dates"


@pytest.fixture(scope="module")
def bundled() -> PairCheckpoint:
    return checkpoint.load_pairs(FOLDER, strict=True)


def test_it_is_small_and_accurate(bundled):
    assert bundled.model.parameter_count() <= 400_000
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 10**6
    assert bundled.training.exact_match >= 0.99
    assert bundled.training.config == PRESETS["dates"].train
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == render(bundled)


def test_it_translates_the_examples(bundled):
    outputs = translate_all(bundled.model, bundled.tokenizer, EXAMPLES)
    assert outputs == [read(example).iso for example in EXAMPLES]


def test_its_text_can_be_made_again(bundled):
    text = task_text(bundled.training.config)
    assert hashlib.sha256(text.encode()).hexdigest() == bundled.training.data_sha256
    assert CharTokenizer.from_text(text).characters == bundled.tokenizer.characters


def test_its_snapshots_end_with_the_translations_of_the_examples(bundled):
    snapshots, scores = bundled.snapshots, bundled.cross_scores
    assert snapshots.steps.tolist() == scores.steps
    assert snapshots.steps[-1] == bundled.training.steps
    assert (snapshots.outputs[-1] == snapshots.targets).all()
    assert not (snapshots.outputs[0] == snapshots.targets).all()
    assert scores.exact[-1, 0] > 0.98 > scores.exact_without[-1, :, :, 0].min()
    assert (scores.shares[-1].amax(dim=(0, 1)) > 2 * scores.uniform).all()

import json
import string

import pytest

from experiments.choose_passage import (
    OWN,
    Candidate,
    Measured,
    candidates,
    measure,
    suitable,
    with_continuations,
)
from experiments.choose_passage.__main__ import RECORD
from microgpt.analysis.ablation import ablate_each_head
from microgpt.analysis.presets import Preset, presets
from microgpt.checkpoint import Checkpoint
from microgpt.checkpoint.provenance import Training
from microgpt.config import GPTConfig
from microgpt.hub import load_bundled
from microgpt.tokenizer import CharTokenizer
from microgpt.training.snapshots import PASSAGE
from tests.models import random_model

LINE = "a sentence of some length, of which there are several; of just so many"
KNOWN = {"a", "sentence", "of", "some", "length", "which", "there", "are", "several"}
KNOWN |= {"just", "so", "many"}
NO_HEADS, ONE_HEAD = Preset("none", (), ""), Preset("one", ((1, 0),), "")


@pytest.fixture
def small(training: Training) -> Checkpoint:
    """A checkpoint with random weights that knows every character of OWN."""
    tokenizer = CharTokenizer.from_text(string.printable)
    shape = GPTConfig(tokenizer.vocab_size, block_size=256, n_layer=2, n_head=2, n_embd=8)
    return Checkpoint(random_model(shape, seed=0), tokenizer, [], training)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (f"{LINE}\n{LINE[:45]}", True),
        (f"{LINE}\n{LINE}", False),
        (LINE, False),
        ("\n".join([LINE, *"aaaaa", LINE[:35]]), False),
        (f"{LINE}\n{LINE[:41]} otter", False),
    ],
    ids=["fits", "long", "short", "many lines", "unknown word"],
)
def test_a_passage_has_the_right_size_and_known_words(text, fits):
    assert suitable(text, "", KNOWN) is fits


def test_a_passage_holds_no_line_of_the_corpus():
    text = f"{LINE}\nsome of some\n{LINE[:35]}"
    assert suitable(text, "a corpus that has some of some words", KNOWN)
    assert not suitable(text, f"a corpus; {LINE[:35]} is part of a line", KNOWN)


def test_the_candidates_are_our_own_and_what_the_model_writes(small):
    fitting = [text for text in OWN if 110 <= len(text) <= 130]
    assert len(fitting) > 10
    written = candidates(small, "", seeds=1)
    assert [each.text for each in written if each.origin == "own"] == fitting
    copied = candidates(small, fitting[0].splitlines()[1], seeds=0)
    assert [each.text for each in copied] == fitting[1:]


def test_the_rise_of_the_loss_is_the_effect_of_the_ablation(small):
    measured = measure(small, Candidate(OWN[0], "own"), [NO_HEADS, ONE_HEAD])
    effects = ablate_each_head(small.model, small.tokenizer.encode(OWN[0]))
    changes = {(layer, head): each.loss_change for layer, head, each in effects}
    assert measured.rises == {"none": 0, "one": pytest.approx(changes[1, 0], abs=1e-4)}


def test_continuations_part_only_without_some_heads(small):
    of = Measured(OWN[0], "own", 0.0, {})
    parts = with_continuations(small, of, [NO_HEADS, ONE_HEAD]).parts
    assert parts["none"] == [None, None]
    assert all(type(at) is int for at in parts["one"])


def test_the_passage_of_the_snapshots_is_the_chosen_one():
    chosen, *others = (Measured(**each) for each in json.loads(RECORD.read_text(encoding="utf-8")))
    assert chosen.text == PASSAGE
    assert chosen.always_parts
    assert all(chosen.least_rise >= each.least_rise or not each.always_parts for each in others)
    bundled = load_bundled()
    assert bundled.passage == PASSAGE
    assert bundled.head_scores is not None
    found = [preset for preset in presets(bundled.head_scores) if preset.heads]
    measured = measure(bundled, Candidate(PASSAGE, chosen.origin), found)
    assert measured.loss == pytest.approx(chosen.loss, abs=1e-3)
    assert measured.rises == pytest.approx(chosen.rises, abs=1e-3)

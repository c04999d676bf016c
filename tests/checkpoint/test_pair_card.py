import dataclasses

import pytest

from microgpt.checkpoint import PairCheckpoint
from microgpt.checkpoint.pair_card import render
from tests.pair_models import TOKENIZER, random_pair_model


@pytest.fixture
def made(training, loss_record) -> PairCheckpoint:
    return PairCheckpoint(random_pair_model(), TOKENIZER, loss_record, training)


def test_the_card_says_what_the_model_is_and_how_to_use_it(made):
    card = render(made)
    assert f"{made.model.parameter_count():,} parameters" in card
    assert 'microgpt translate --checkpoint DIR --text "the 3rd of March, 2024"' in card
    assert "are not counted" in card and "metric_value" not in card


def test_the_card_holds_the_accuracy(made):
    training = dataclasses.replace(made.training, exact_match=0.9912, val_loss_full=0.0041)
    card = render(dataclasses.replace(made, training=training))
    assert "| exact translations | 99.12% |" in card
    assert "| loss, nats per character | 0.0041 |" in card
    assert "value: 0.9912" in card


def test_markup_in_the_provenance_has_no_effect(made):
    training = dataclasses.replace(made.training, hardware="<script>`x`", preset="[a](b)")
    card = render(dataclasses.replace(made, training=training))
    assert "`<script>'x'`" in card and "`[a](b)`" in card

import math

import numpy as np
import pytest
import torch

from microgpt.analysis.predictions import (
    GrowingPredictions,
    Predictions,
    first_difference,
    next_character,
    of_drawn,
    of_text,
    predict_text,
)
from microgpt.engine import Drawn
from microgpt.sampling import SamplingConfig, next_token_probs


@pytest.fixture
def predictions() -> Predictions:
    probs = torch.tensor(
        [[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1], [0.5, 0.5, 0.0, 0.0]]
    )
    return Predictions(torch.tensor([2, 3, 0, 0]), probs.log() + 3)


def test_surprisal_rank_order_and_entropy_by_hand(predictions):
    expected = [0.3, 0.25, 0.7, 0.5]
    assert np.exp(-predictions.surprisal).tolist() == pytest.approx(expected)
    assert predictions.rank.tolist() == [2, 4, 1, 1], "equal probabilities rank by id"
    assert predictions.order[0].tolist() == [3, 2, 1, 0]
    assert predictions.entropy[1].item() == pytest.approx(math.log(4))
    assert predictions.entropy[3].item() == pytest.approx(math.log(2)), "p log p is 0 for p = 0"


def test_the_mean_surprisal_is_the_loss(model):
    ids = torch.arange(9)
    logits = model(ids[None, :-1])[0]
    loss = torch.nn.functional.cross_entropy(logits, ids[1:])
    assert Predictions(ids[1:], logits).loss == pytest.approx(loss.item(), abs=1e-6)


def test_the_predictions_of_a_text_start_at_its_second_character(model):
    ids = list(range(9))
    from_logits = of_text(ids, model(torch.tensor([ids]))[0])
    assert from_logits.tokens.tolist() == ids[1:]
    from_model = predict_text(model, ids)
    assert from_model.tokens.tolist() == ids[1:]
    torch.testing.assert_close(from_model.logits, from_logits.logits)
    assert len(of_text([3], torch.zeros(1, 4))) == 0
    with pytest.raises(ValueError, match="two characters"):
        predict_text(model, [3])


def test_a_text_longer_than_the_window_is_read(model):
    calls = []
    ids = [at % model.config.vocab_size for at in range(40)]
    predictions = predict_text(model, ids, lambda *call: calls.append(call))
    assert len(predictions) == 39 and calls[-1] == (39, 39)


def test_the_most_surprising_characters_come_first(predictions):
    assert predictions.most_surprising(2) == [1, 0]
    assert predictions.most_surprising(99) == [1, 0, 3, 2]


def test_predictions_grow_until_their_end():
    growing = GrowingPredictions(3, 4)
    characters = [Drawn(at, torch.full((4,), float(at))) for at in range(3)]
    growing.extend([])
    growing.extend(characters[:2])
    first_two = growing.so_far
    assert len(growing) == len(first_two) == 2
    growing.end()
    growing.extend(characters[2:])
    assert growing.so_far.tokens.tolist() == [0, 1]
    whole = of_drawn(iter(characters))
    assert whole.tokens.tolist() == [0, 1, 2]
    torch.testing.assert_close(whole.logits[:2], first_two.logits)


def test_no_character_is_added_beyond_the_length():
    growing = GrowingPredictions(1, 4)
    growing.extend([Drawn(0, torch.zeros(4))])
    with pytest.raises(IndexError):
        growing.extend([Drawn(0, torch.zeros(4))])


def test_the_settings_remove_some_of_the_next_characters():
    logits = torch.tensor([0.1, 0.2, 0.3, 0.4]).log()
    filtered = next_character(logits, SamplingConfig(temperature=1.0, top_k=2))
    assert filtered.model.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert filtered.drawn.tolist() == pytest.approx([0, 0, 3 / 7, 4 / 7])
    assert filtered.possible == 2 and filtered.removed == pytest.approx(0.3)
    unfiltered = next_character(logits, SamplingConfig(temperature=1.0))
    assert unfiltered.possible == 4 and unfiltered.removed == 0


def test_predictions_can_be_sliced(predictions):
    part = predictions[1:3]
    assert len(part) == 2
    assert part.surprisal.tolist() == predictions.surprisal[1:3].tolist()


@pytest.mark.parametrize(
    "config",
    [SamplingConfig(), SamplingConfig(0.5, 2), SamplingConfig(0.0), SamplingConfig(1, 0, 0.6)],
)
def test_sampling_probabilities_are_computed_for_each_row(predictions, config):
    rows = predictions.drawn_probs(config)
    for row, logits in zip(rows, predictions.logits, strict=True):
        np.testing.assert_allclose(row, next_token_probs(logits, config))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [([1, 2, 3], [1, 2, 3], None), ([1, 2, 3], [1, 0, 3], 1), ([1, 2], [1, 2, 3], 2), ([], [1], 0)],
)
def test_the_first_difference_of_two_texts_is_found(first, second, expected):
    pair = [Predictions(torch.tensor(ids), torch.zeros(len(ids), 4)) for ids in (first, second)]
    assert first_difference(*pair) == expected
    assert first_difference(*reversed(pair)) == expected

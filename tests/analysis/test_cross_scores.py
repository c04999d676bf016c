import dataclasses
import json

import pytest
import torch

from microgpt.analysis.cross_scores import (
    CrossScores,
    CrossScoresError,
    cross_scores,
    field_shares,
    joined,
)
from microgpt.analysis.exact_match import exact_matches
from microgpt.dates import FIELDS, ISO_SPANS, read
from microgpt.pairs import START
from tests.pair_models import CONFIG, TOKENIZER, random_pair_model

PHRASES = [read(text) for text in ("1 May 2034", "July 12, 1999", "2003-04-05")]
HEADS = CONFIG.n_layer, CONFIG.n_head


@pytest.fixture(scope="module")
def scores() -> CrossScores:
    found = [cross_scores(random_pair_model(seed), TOKENIZER, PHRASES, seed) for seed in (1, 2)]
    return joined(found)


def test_a_share_is_the_attention_from_a_field_to_the_same_field():
    model = random_pair_model(3)
    expected = torch.zeros(*HEADS, 3)
    uniform = torch.zeros(3)
    for phrase in PHRASES:
        _, maps = model.forward_with_attention(
            torch.tensor([TOKENIZER.encode(phrase.text)]),
            torch.tensor([TOKENIZER.encode(START + phrase.iso)]),
        )
        for i, field in enumerate(FIELDS):
            told = list(phrase.spans[field])
            uniform[i] += len(told) / len(phrase.text) / len(PHRASES)
            for layer in range(CONFIG.n_layer):
                for head in range(CONFIG.n_head):
                    rows = [
                        sum(float(maps.cross[0, layer, head, t, s]) for s in told)
                        for t in ISO_SPANS[field]
                    ]
                    expected[layer, head, i] += sum(rows) / len(rows) / len(PHRASES)
    shares, found = field_shares(model, TOKENIZER, PHRASES)
    torch.testing.assert_close(shares, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found, uniform)


def test_the_scores_hold_each_step_and_each_ablation(scores):
    assert scores.steps == [1, 2] and scores.phrases == len(PHRASES)
    model = random_pair_model(2)
    torch.testing.assert_close(scores.exact[1], exact_matches(model, TOKENIZER, PHRASES))
    mask = torch.ones(HEADS)
    mask[1, 2] = 0
    without = exact_matches(model, TOKENIZER, PHRASES, cross_head_mask=mask)
    torch.testing.assert_close(scores.exact_without[1, 1, 2], without)
    assert scores.shares.shape == (2, *HEADS, 3)


def test_a_head_is_named_after_its_field_if_its_share_is_large():
    shares = torch.full((1, *HEADS, 3), 0.1)
    shares[0, 0, 1] = torch.tensor([0.2, 0.8, 0.3])
    without = torch.ones(1, *HEADS, 4)
    without[0, 0, 1] = torch.tensor([0.1, 0.9, 0.2, 1.0])
    uniform = torch.tensor([0.3, 0.2, 0.1])
    scores = CrossScores([5], 10, uniform, shares, torch.ones(1, 4), without)
    assert scores.label(0, 1) == ("month", pytest.approx(0.8), pytest.approx(0.2))
    assert scores.label(0, 0) is None
    assert scores.breaks(0, 1) == ("month", pytest.approx(0.8))


def test_scores_survive_a_round_trip(scores):
    text = scores.to_json()
    again = CrossScores.from_json(text, CONFIG)
    assert again.steps == scores.steps
    for name in ("uniform", "shares", "exact", "exact_without"):
        torch.testing.assert_close(getattr(again, name), getattr(scores, name), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": [2, 1]},
        {"steps": []},
        {"phrases": 0},
        {"phrases": "many"},
        {"uniform": [0.1, 0.2]},
        {"uniform": [0.1, 0.2, 1.5]},
        {"shares": [[[0.1]]]},
        {"exact": None},
    ],
)
def test_malformed_scores_are_refused(scores, change):
    values = json.loads(scores.to_json()) | change
    with pytest.raises(CrossScoresError):
        CrossScores.from_json(json.dumps(values), CONFIG)


def test_scores_of_another_model_are_refused(scores):
    other = dataclasses.replace(CONFIG, n_layer=1)
    with pytest.raises(CrossScoresError, match="do not fit"):
        CrossScores.from_json(scores.to_json(), other)

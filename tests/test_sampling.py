import math

import pytest
import torch

from microgpt.config import ConfigError
from microgpt.sampling import SamplingConfig, next_token_probs, sample

LOGITS = torch.tensor([0.0, 3.0, 1.0, 2.0, -1.0])


def test_temperature_divides_the_logits():
    for temperature in (0.3, 1.0, 2.0):
        expected = torch.softmax(LOGITS.double() / temperature, dim=-1)
        torch.testing.assert_close(next_token_probs(LOGITS, temperature), expected)


@pytest.mark.parametrize("temperature", [0.0, 1e-300, 5e-324])
def test_no_temperature_is_greedy(temperature):
    probs = next_token_probs(LOGITS, temperature)
    assert probs.tolist() == [0, 1, 0, 0, 0]


def test_greedy_takes_the_first_of_equals():
    assert next_token_probs(torch.tensor([1.0, 2.0, 2.0]), 0.0).tolist() == [0, 1, 0]


def test_top_k_keeps_the_k_likeliest_in_their_proportion():
    probs = next_token_probs(LOGITS, 1.0, top_k=2)
    assert probs.nonzero().flatten().tolist() == [1, 3]
    assert probs.sum().item() == pytest.approx(1)
    assert (probs[1] / probs[3]).item() == pytest.approx(math.e)


def test_top_k_of_ties_keeps_exactly_k():
    assert (next_token_probs(torch.zeros(6), 1.0, top_k=4) > 0).sum() == 4


def test_top_k_beyond_the_vocabulary_cuts_nothing():
    torch.testing.assert_close(
        next_token_probs(LOGITS, 1.0, top_k=99), next_token_probs(LOGITS, 1.0)
    )


def test_top_p_keeps_the_fewest_that_hold_p():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    kept = [(next_token_probs(logits, 1.0, top_p=p) > 0).sum().item() for p in (0, 0.4, 0.6, 0.9)]
    assert kept == [1, 1, 2, 3]
    assert next_token_probs(logits, 1.0, top_p=0.6).tolist() == pytest.approx([0.625, 0.375, 0, 0])


def test_top_p_acts_on_what_top_k_left():
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    assert (next_token_probs(logits, 1.0, top_k=2, top_p=0.55) > 0).sum() == 1


def test_the_logits_are_left_alone():
    before = LOGITS.clone()
    next_token_probs(LOGITS, 0.5, 2, 0.9)
    assert torch.equal(LOGITS, before)


def test_samples_follow_the_probabilities_and_never_leave_the_support():
    probs = torch.tensor([0.0, 0.5, 0.0, 0.3, 0.2, 0.0])
    generator = torch.Generator().manual_seed(7)
    draws = [sample(probs, generator) for _ in range(4000)]
    counts = torch.bincount(torch.tensor(draws), minlength=6) / len(draws)
    assert set(draws) == {1, 3, 4}
    torch.testing.assert_close(counts, probs, atol=0.03, rtol=0)


def test_same_seed_same_draws():
    probs = torch.full((10,), 0.1)
    draws = [
        [sample(probs, generator) for _ in range(20)]
        for generator in (torch.Generator().manual_seed(3), torch.Generator().manual_seed(3))
    ]
    assert draws[0] == draws[1]


def test_sampling_does_not_touch_the_global_generator():
    before = torch.get_rng_state()
    sample(torch.full((4,), 0.25), torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "values", [{"temperature": -0.1}, {"temperature": math.nan}, {"top_k": 2.5}, {"top_p": 1.1}]
)
def test_settings_beyond_their_limits_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        SamplingConfig(**values)

import math

import pytest
import torch

from microgpt.config import ConfigError
from microgpt.sampling import (
    SAMPLING_LIMITS,
    SAMPLING_SETTINGS,
    SamplingConfig,
    Uniforms,
    next_token_probs,
    sample,
)

LOGITS = torch.tensor([0.0, 3.0, 1.0, 2.0, -1.0])


def probs_of(logits: torch.Tensor, temperature: float = 1.0, **settings: float) -> torch.Tensor:
    return next_token_probs(logits, SamplingConfig(temperature=temperature, **settings))


def drawn(probs: torch.Tensor, uniforms: Uniforms) -> int:
    """Sample once from logits whose probabilities are those of probs."""
    [token] = sample(probs.log()[None].numpy(), [SamplingConfig(temperature=1.0)], [uniforms])
    return token


def test_temperature_divides_the_logits():
    for temperature in (0.3, 1.0, 2.0):
        expected = torch.softmax(LOGITS.double() / temperature, dim=-1)
        torch.testing.assert_close(probs_of(LOGITS, temperature=temperature), expected)


@pytest.mark.parametrize("temperature", [0.0, 1e-300, 5e-324])
def test_temperature_0_is_greedy(temperature):
    probs = probs_of(LOGITS, temperature=temperature)
    assert probs.tolist() == [0, 1, 0, 0, 0]


def test_greedy_takes_the_first_of_equal_logits():
    assert probs_of(torch.tensor([1.0, 2.0, 2.0]), temperature=0.0).tolist() == [0, 1, 0]


def test_top_k_keeps_the_ratio_of_the_k_most_likely():
    probs = probs_of(LOGITS, top_k=2)
    assert probs.nonzero().flatten().tolist() == [1, 3]
    assert probs.sum().item() == pytest.approx(1)
    assert (probs[1] / probs[3]).item() == pytest.approx(math.e)


def test_top_k_keeps_exactly_k_of_equal_logits():
    assert (probs_of(torch.zeros(6), top_k=4) > 0).sum() == 4


def test_a_top_k_beyond_the_vocabulary_keeps_all():
    torch.testing.assert_close(probs_of(LOGITS, top_k=99), probs_of(LOGITS))


def test_top_p_keeps_the_smallest_set_by_hand():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    kept = [(probs_of(logits, top_p=p) > 0).sum().item() for p in (0, 0.4, 0.6, 0.9)]
    assert kept == [1, 1, 2, 3]
    assert probs_of(logits, top_p=0.6).tolist() == pytest.approx([0.625, 0.375, 0, 0])


@pytest.mark.parametrize("seed", range(20))
def test_top_p_keeps_the_smallest_set_that_reaches_p(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(30, generator=generator) * 3
    p = torch.rand((), generator=generator).item()
    probs, kept = probs_of(logits), probs_of(logits, top_p=p) > 0
    assert probs[kept].sum() >= p
    assert probs[kept].sum() - probs[kept].min() < p, "the least likely one is needed to reach p"
    assert probs[kept].min() >= probs[~kept].max()


def test_top_p_of_1_keeps_all():
    logits = torch.tensor([50.0, 0.0, -100.0])
    assert (probs_of(logits, top_p=1.0) > 0).all()


def test_rows_of_a_batch_are_independent():
    logits = torch.randn(2, 3, 10, generator=torch.Generator().manual_seed(0))
    together = probs_of(logits, temperature=0.7, top_k=5, top_p=0.8)
    assert together.shape == logits.shape and together.dtype == torch.float64
    for row, alone in zip(together.view(6, 10), logits.view(6, 10), strict=True):
        assert torch.equal(row, probs_of(alone, temperature=0.7, top_k=5, top_p=0.8))


def test_top_p_applies_after_top_k():
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    assert (probs_of(logits, top_k=2, top_p=0.55) > 0).sum() == 1


def test_the_logits_are_not_changed():
    before = LOGITS.clone()
    probs_of(LOGITS, temperature=0.5, top_k=2, top_p=0.9)
    assert torch.equal(LOGITS, before)


def test_the_frequencies_of_100_000_draws_fit_the_probabilities():
    logits = torch.randn(65, generator=torch.Generator().manual_seed(1)) * 2
    probs = probs_of(logits, temperature=0.8, top_k=40, top_p=0.95)
    uniforms = Uniforms(7)
    draws = 100_000
    counts = torch.zeros(65, dtype=torch.float64)
    for _ in range(draws):
        counts[drawn(probs, uniforms)] += 1
    kept = probs > 0
    assert counts[~kept].sum() == 0
    expected = draws * probs[kept]
    assert expected.min() > 5 and len(expected) > 10, "needed for a chi-square test"
    chi_square = ((counts[kept] - expected) ** 2 / expected).sum()
    # Its 99.9 % point for n degrees of freedom (Wilson and Hilferty, 1931).
    n = len(expected) - 1
    assert chi_square < n * (1 - 2 / (9 * n) + 3.09 * math.sqrt(2 / (9 * n))) ** 3


def test_a_draw_inverts_the_cumulative_distribution():
    probs = torch.tensor([0.0, 0.5, 0.0, 0.3, 0.2, 0.0])
    for seed in range(50):
        uniform = torch.rand((), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        index = drawn(probs, Uniforms(seed))
        assert index == (1 if uniform < 0.5 else 3 if uniform < 0.8 else 4)


def test_texts_sampled_together_draw_what_each_draws_alone():
    logits = 3 * torch.randn(6, 10, generator=torch.Generator().manual_seed(4)).numpy()
    configs = [
        SamplingConfig(temperature=t, top_k=k, top_p=p, seed=seed)
        for seed, (t, k, p) in enumerate(
            [(0, 0, 1), (0.8, 0, 1), (0.8, 3, 1), (1.3, 0, 0.7), (1, 4, 0.9), (2, 1, 0)]
        )
    ]

    ours, theirs = ([Uniforms(config.seed) for config in configs] for _ in range(2))
    for _ in range(20):
        together = sample(logits, configs, ours)
        for row, config, own, token in zip(logits, configs, theirs, together, strict=True):
            assert sample(row[None], [config], [own]) == [token]


def test_the_numbers_of_a_seed_do_not_depend_on_how_they_are_made():
    uniforms, generator = Uniforms(3), torch.Generator().manual_seed(3)
    for _ in range(2 * Uniforms.BLOCK + 1):
        assert uniforms.draw() == torch.rand((), dtype=torch.float64, generator=generator)


def test_the_same_seed_gives_the_same_draws():
    probs = torch.full((10,), 0.1)
    draws = [[drawn(probs, uniforms) for _ in range(20)] for uniforms in (Uniforms(3), Uniforms(3))]
    assert draws[0] == draws[1]


def test_sampling_does_not_use_the_global_generator():
    before = torch.get_rng_state()
    drawn(torch.full((4,), 0.25), Uniforms(0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "values", [{"temperature": -0.1}, {"temperature": math.nan}, {"top_k": 2.5}, {"top_p": 1.1}]
)
def test_settings_beyond_their_limits_are_refused(values):
    with pytest.raises(ConfigError, match=next(iter(values))):
        SamplingConfig(**values)


def test_every_number_has_limits_and_a_default_within_them():
    numbers = {name for name, value in SamplingConfig().to_dict().items() if value is not False}
    assert set(SAMPLING_LIMITS) == numbers
    for setting in SAMPLING_SETTINGS.values():
        low, high = setting.limits
        assert low <= setting.default <= high


@pytest.mark.parametrize("name", [name for name, s in SAMPLING_SETTINGS.items() if s.filter])
def test_a_filter_keeps_the_most_likely_tokens_and_by_default_all(name):
    setting = SAMPLING_SETTINGS[name]
    low, high = setting.limits
    whole = probs_of(LOGITS)
    for value in (low, high, type(setting.default)((low + high) / 4), setting.default):
        probs = probs_of(LOGITS, **{name: value})
        kept = probs > 0
        assert kept[LOGITS.argmax()] and max(LOGITS[~kept], default=-9) <= LOGITS[kept].min()
        assert probs.sum().item() == pytest.approx(1)
        torch.testing.assert_close(probs, whole * kept / whole[kept].sum())
    assert bool(kept.all())


def test_the_summary_names_every_setting_of_the_distribution():
    config = SamplingConfig(0.75, top_k=5, seed=7)
    assert config.summary.startswith("temperature 0.75 · top-k 5 · top-p 1")
    assert config.summary.count("·") == len(SAMPLING_SETTINGS) - 1

import dataclasses

import pytest

from microgpt.checkpoint.throughput import (
    characters_per_second,
    estimate_mfu,
    flops_per_character,
)
from microgpt.config import GPTConfig


def test_the_flops_per_character_equal_a_count_by_hand():
    config = GPTConfig(vocab_size=10, block_size=8, n_layer=2, n_head=2, n_embd=4, mlp_ratio=3)
    matrices = 4 * 12 + 4 * 4 + 4 * 12 + 12 * 4  # of a block: qkv, proj, up, down
    head = 4 * 10
    attention = 12 * 2 * 8 * 4
    assert flops_per_character(config) == 6 * (2 * matrices + head) + attention


def test_a_longer_window_adds_only_the_flops_of_attention():
    short = GPTConfig(block_size=64, n_layer=3, n_head=4, n_embd=32)
    long = GPTConfig(block_size=128, n_layer=3, n_head=4, n_embd=32)
    assert flops_per_character(long) - flops_per_character(short) == 12 * 3 * 64 * 32


def test_the_mfu_of_a_run_at_the_matmul_rate_is_1(training, tiny_config):
    flops = training.tokens * flops_per_character(tiny_config)
    fast = dataclasses.replace(training, seconds=0.5, matmul_flops=2.0 * flops)
    assert characters_per_second(fast) == 2 * training.tokens
    assert estimate_mfu(tiny_config, fast) == pytest.approx(1.0)
    slow = dataclasses.replace(fast, seconds=1.0)
    assert estimate_mfu(tiny_config, slow) == pytest.approx(0.5)


@pytest.mark.parametrize("unknown", [{"seconds": 0.0}, {"matmul_flops": None}], ids=str)
def test_without_measurements_there_is_no_mfu(training, tiny_config, unknown):
    assert estimate_mfu(tiny_config, dataclasses.replace(training, **unknown)) is None

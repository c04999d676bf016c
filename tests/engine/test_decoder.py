import dataclasses

import pytest
import torch

from microgpt.engine import Decoder
from microgpt.engine.decoder import CHUNK
from tests.engine.decoding import all_logits, text_ids
from tests.models import random_model


def test_prefill_clears_the_cache(half_model):
    config = half_model.config
    decoder = Decoder(half_model)
    ids = text_ids(config, config.block_size)
    all_logits(decoder, ids)
    expected = half_model(torch.tensor([ids[3:9]]))[0, -1]
    torch.testing.assert_close(decoder.prefill(ids[3:9]), expected, atol=1e-5, rtol=0)
    expected = half_model(torch.tensor([ids[3:10]]))[0, -1]
    torch.testing.assert_close(decoder.step(ids[9]), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("count", [1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_prefill_in_chunks_equals_one_pass(tiny_config, count):
    config = dataclasses.replace(tiny_config, block_size=2 * CHUNK + 3)
    model = random_model(config, seed=0, std=0.1)
    ids = text_ids(config, count)
    expected = model(torch.tensor([ids]))[0, -1]
    torch.testing.assert_close(Decoder(model).prefill(ids), expected, atol=1e-5, rtol=0)


def test_a_text_that_is_empty_or_longer_than_the_window_is_refused(half_model):
    decoder = Decoder(half_model)
    window = half_model.config.block_size
    for count in (0, window + 1):
        with pytest.raises(ValueError, match=f"{count} ids do not fit the window"):
            decoder.prefill([0] * count)
    decoder.prefill([0] * window)
    with pytest.raises(ValueError, match="is full"):
        decoder.step(0)

import torch

from microgpt.checkpoint import load
from microgpt.ui.cache.inside import mlp_inputs, position_of, residual_stream
from tests.models import other_weights


def test_the_results_of_a_text_come_from_one_residual_stream(tiny_checkpoint):
    one = load(tiny_checkpoint)
    stream = residual_stream(one, "ba do")
    assert residual_stream(load(tiny_checkpoint), "ba do") is stream
    assert residual_stream(other_weights(one), "ba do") is not stream
    torch.testing.assert_close(position_of(one, "ba do", 3).blocks[-1].after, stream.points[-1, 3])
    assert mlp_inputs(one, "ba do").data_ptr() == stream.points[1].data_ptr()


def test_a_text_beyond_the_window_has_mlp_inputs(tiny_checkpoint):
    one = load(tiny_checkpoint)
    text = "ba do " * one.config.block_size
    assert mlp_inputs(one, text).shape == (one.config.n_layer, len(text), one.config.n_embd)

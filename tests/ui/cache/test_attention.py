import torch

from microgpt.checkpoint import load
from microgpt.ui.cache import attention
from tests.models import other_weights


def test_other_weights_have_other_maps(tiny_checkpoint):
    one = load(tiny_checkpoint)
    other = other_weights(one)
    assert attention._packed_maps(one, "ba do") is attention._packed_maps(one, "ba do")
    first, second = (attention.attention_maps(each, "ba do").weights for each in (one, other))
    assert not torch.equal(first, second)

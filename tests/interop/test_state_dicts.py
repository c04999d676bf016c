import pytest
import torch

from microgpt.interop import InteropError
from microgpt.interop.state_dicts import GPT2, LECTURE, OLD_MINGPT, heads_of_lecture, renamed
from tests.interop.other_programs import Lecture, NanoGPT, OldMinGPT


@pytest.mark.parametrize(
    ("model", "names"), [(NanoGPT(), GPT2), (OldMinGPT(), OLD_MINGPT), (Lecture(), LECTURE)]
)
def test_every_weight_is_renamed_and_masks_are_left_out(model, names):
    found = renamed(model.state_dict(), names)
    assert sum(each.numel() for name, each in found.items() if name != "head.weight") == sum(
        each.numel()
        for name, each in model.state_dict().items()
        if not name.endswith((".attn.bias", "mask", "tril", "head.weight"))
    )
    assert found["blocks.1.attention.qkv.weight"].shape == (144, 48)


def test_heads_that_are_apart_are_joined_in_order():
    weights = Lecture(n_head=12).state_dict()
    assert heads_of_lecture(weights) == 12
    joined = renamed(weights, LECTURE)["blocks.0.attention.qkv.weight"]
    for head in (2, 10):  # as text, 10 comes before 2
        own = weights[f"blocks.0.sa.heads.{head}.key.weight"]
        assert torch.equal(joined[48 + 4 * head : 48 + 4 * (head + 1)], own)


def test_weights_of_another_program_are_refused():
    with pytest.raises(InteropError, match="not the weights of that program"):
        renamed(Lecture().state_dict(), GPT2)
    with pytest.raises(InteropError, match="grouped-query"):
        renamed(NanoGPT().state_dict() | {"transformer.h.0.attn.wq.weight": torch.ones(1)}, GPT2)

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


@pytest.mark.parametrize(
    "change",
    [
        lambda weight: weight.to(torch.complex64),
        lambda weight: weight.to(torch.float8_e4m3fn),
        lambda weight: (10 * weight).to(torch.int8),
        lambda weight: weight.to("meta"),
        lambda weight: weight.to_sparse(),
        lambda weight: torch.quantize_per_tensor(weight.detach(), 0.1, 0, torch.qint8),
    ],
    ids=["complex", "float8", "int8", "meta", "sparse", "quantized"],
)
@pytest.mark.parametrize("name", ["transformer.wte.weight", "transformer.h.0.ln_1.bias"])
def test_a_tensor_of_another_kind_is_refused_unless_it_is_a_mask(name, change):
    weights, mask = NanoGPT().state_dict(), "transformer.h.0.attn.bias"
    with pytest.raises(InteropError, match=f"the weight {name} is .*float16"):
        renamed(weights | {name: change(weights[name])}, GPT2)
    assert mask not in renamed(weights | {mask: weights[mask].bool()}, GPT2)


def test_weights_that_claim_to_be_more_than_a_checkpoint_holds_are_not_joined():
    heads = (f"blocks.0.sa.heads.{i}.key.weight" for i in range(100))
    huge = torch.zeros(1).expand(3000, 1000)
    with pytest.raises(InteropError, match="more numbers than"):
        renamed(Lecture().state_dict() | dict.fromkeys(heads, huge), LECTURE)

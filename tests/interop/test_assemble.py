import dataclasses

import pytest
import torch

from microgpt.checkpoint.weights import stored
from microgpt.interop import InteropError
from microgpt.interop.assemble import assemble, foreign, in_order, refuse
from tests.models import OTHER_SHAPES, random_model

IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])


@pytest.mark.parametrize("name", ["default", *OTHER_SHAPES])
def test_a_model_is_made_again_from_its_weights(tiny_config, name):
    model = random_model(dataclasses.replace(tiny_config, **OTHER_SHAPES.get(name, {})), seed=1)
    config = model.config
    made = assemble(stored(model), 3, activation=config.activation, score_scale=config.score_scale)
    assert made.config == config
    assert torch.equal(made(IDS), model(IDS))


def test_biases_that_are_zero_are_left_out_and_one_alone_gets_zeros(tiny_config):
    config = dataclasses.replace(tiny_config, qkv_bias=True)
    model = random_model(config, seed=1)
    for name, weight in model.named_parameters():
        if name.endswith((".qkv.bias", "head.bias")):
            weight.zero_()
    weights = stored(model)
    del weights["blocks.0.attention.proj.bias"]  # of a group that others have
    model.blocks[0].attention.proj.bias.zero_()
    made = assemble(weights, 3, activation="relu")
    assert not made.config.qkv_bias and not made.config.head_bias
    assert made.config.linear_bias and made.config.norm_bias
    torch.testing.assert_close(made(IDS), model(IDS))


@pytest.mark.parametrize("tied", [True, False])
def test_ids_are_put_in_the_order_of_the_characters(tiny_config, tied):
    config = dataclasses.replace(tiny_config, vocab_size=4, tied=tied)
    model = random_model(config, seed=1)
    before = model(torch.tensor([[0, 3, 1, 2]]))[0]
    sorted_model, characters = in_order(model, "dbca")
    assert characters == "abcd"
    after = sorted_model(torch.tensor([[3, 0, 1, 2]]))[0]
    torch.testing.assert_close(after, before[:, [3, 1, 2, 0]])


def test_what_does_not_fit_is_refused(tiny_config):
    weights = stored(random_model(tiny_config, seed=1))
    for change, says in (
        ({"position_embedding.weight": torch.ones(3)}, "no matrix position_embedding.weight"),
        ({"blocks.0.mlp.up.weight": torch.ones(25, 24)}, "multiple of 24"),
        ({"blocks.0.mlp.up.weight": torch.ones(96, 0)}, "no matrix blocks.0.mlp.up.weight"),
        ({"blocks.0.attention.qkv.weight": torch.ones(())}, r"qkv.weight has the shape \[\]"),
        ({"blocks.1.mlp.up.weight": torch.ones(24, 24)}, r"\[24, 24\].* need \[96, 24\]"),
        ({"blocks.0.other.weight": torch.ones(1)}, "no weight blocks.0.other.weight"),
    ):
        with pytest.raises(InteropError, match=says):
            assemble(weights | change, 3, activation="relu")


def test_a_long_name_in_a_message_is_cut():
    assert len(foreign("RoPE", "x" * 1000)) < 200
    with pytest.raises(InteropError, match="adapters"):
        refuse("lora_a.weight")

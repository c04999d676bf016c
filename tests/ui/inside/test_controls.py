"""The names of the points of the residual stream."""

from microgpt.config import GPTConfig
from microgpt.ui.inside.controls import point_names


def test_each_layer_has_a_point_after_its_attention_and_one_after_its_mlp():
    config = GPTConfig(vocab_size=5, block_size=4, n_layer=2, n_head=1, n_embd=8)
    assert point_names(config) == [
        "the embeddings",
        "the attention of layer 1",
        "layer 1",
        "the attention of layer 2",
        "layer 2",
    ]

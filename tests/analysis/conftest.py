import pytest
import torch

from microgpt.config import GPTConfig
from microgpt.model import GPT


@pytest.fixture(scope="session")
def induction_model() -> GPT:
    """A model with hand-set weights: a previous-token head and an induction head.

    The head of layer 1 copies the previous character into each position. The head of layer 2
    attends to the latest position whose previous character equals the current character, and
    predicts the character there.
    """
    vocab, size = 4, 12
    config = GPTConfig(
        vocab_size=vocab, block_size=size, n_layer=2, n_head=1, n_embd=3 * vocab + size, norm="none"
    )
    model = GPT(config)
    c = config.n_embd
    token, before, out = (slice(n * vocab, (n + 1) * vocab) for n in range(3))
    position = slice(3 * vocab, c)
    one = torch.eye(vocab)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.token_embedding.weight[:, token] = one
        model.position_embedding.weight[:, position] = torch.eye(size)
        sharp = 100 * c**0.5
        first, second = (block.attention for block in model.blocks)
        q, k, v = first.qkv.weight.chunk(3)  # (C, C) each, views
        q[position, position] = sharp * torch.eye(size).roll(-1, dims=0)  # t attends to t - 1
        k[position, position] = torch.eye(size)
        v[token, token] = one
        first.proj.weight[before, token] = one
        q, k, v = second.qkv.weight.chunk(3)
        q[token, token] = sharp * one
        k[token, before] = one
        q[before, token] = sharp  # prefers later positions
        k[before, position] = 0.1 * torch.arange(size) / vocab
        v[token, token] = one
        second.proj.weight[out, token] = one
        model.head.weight[:, out] = 3 * one
    return model.eval().requires_grad_(False)

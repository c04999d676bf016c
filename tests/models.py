"""Models for tests."""

import torch

from microgpt.config import GPTConfig
from microgpt.model import GPT


def random_model(config: GPTConfig, seed: int, std: float = 0.4) -> GPT:
    """Make a model in eval mode; every parameter is random, so that each affects the output."""
    generator = torch.Generator().manual_seed(seed)
    model = GPT(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.normal_(0.0, std, generator=generator)
    return model

"""Models for tests."""

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.model import GPT

# How the shapes of models from other code differ from the default, by the name of that code.
OTHER_SHAPES = {
    "nanoGPT": {
        "activation": "gelu",
        "tied": True,
        "norm_bias": False,
        "linear_bias": False,
        "head_bias": False,
    },
    "nanoGPT with biases": {
        "activation": "gelu",
        "tied": True,
        "qkv_bias": True,
        "head_bias": False,
    },
    "minGPT": {"activation": "gelu_tanh", "qkv_bias": True, "head_bias": False},
    "lecture": {"score_scale": "n_embd"},
}


def random_model(config: GPTConfig, seed: int, std: float = 0.4) -> GPT:
    """Make a model in eval mode; every parameter is random, so that each affects the output."""
    generator = torch.Generator().manual_seed(seed)
    model = GPT(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.normal_(0.0, std, generator=generator)
    return model


def other_weights(loaded: Checkpoint) -> Checkpoint:
    """A checkpoint with the config of another one and weights of its own."""
    model = random_model(loaded.config, 7)
    return replace(loaded, model=model, weights_sha256="0" * 64)


def functional_logits(model: GPT, ids: list[int]) -> Tensor:
    """The logits (T, V) of a model with every LayerNorm, computed from its weights alone."""
    config, w = model.config, model.state_dict()

    def norm(x: Tensor, name: str) -> Tensor:
        weight, bias = w[f"{name}.weight"], w.get(f"{name}.bias")
        return F.layer_norm(x, (config.n_embd,), weight, bias)

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))

    def activation(x: Tensor) -> Tensor:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        return {
            "relu": x.clamp(min=0),
            "gelu": x * (1 + torch.erf(x / math.sqrt(2))) / 2,
            "gelu_tanh": x * (1 + torch.tanh(inner)) / 2,
        }[config.activation]

    x = w["token_embedding.weight"][ids] + w["position_embedding.weight"][: len(ids)]
    above = torch.ones(len(ids), len(ids), dtype=torch.bool).triu(1)
    size = {"head_size": config.n_embd / config.n_head, "n_embd": config.n_embd}
    for layer in range(config.n_layer):
        block = f"blocks.{layer}"
        joined = linear(norm(x, f"{block}.ln_attention"), f"{block}.attention.qkv")
        q, k, v = (
            part.view(len(ids), config.n_head, -1).transpose(0, 1)
            for part in joined.split(config.n_embd, dim=1)
        )  # (H, T, head_size) each
        scores = q @ k.transpose(1, 2) / math.sqrt(size[config.score_scale])
        y = F.softmax(scores.masked_fill(above, -math.inf), dim=-1) @ v
        x = x + linear(y.transpose(0, 1).flatten(1), f"{block}.attention.proj")
        hidden = activation(linear(norm(x, f"{block}.ln_mlp"), f"{block}.mlp.up"))
        x = x + linear(hidden, f"{block}.mlp.down")
    head = w["token_embedding.weight"] if config.tied else w["head.weight"]
    return F.linear(norm(x, "ln_final"), head, w.get("head.bias"))

"""The backend in NumPy.

NumPy is faster than PyTorch for one token: a call has a third of the overhead, and matrix-vector
products read memory faster. With ReLU, only the rows of the MLP's second matrix whose neuron is
active are read, about one in six (Mirzadeh et al., 2023, ReLU Strikes Back). The other rows would
add zero, so the result is the same.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from microgpt.engine.backends import Part, TorchBackend
from microgpt.model import ACTIVATIONS, GPT, KVCache


class NumpyBackend:
    """The backend in NumPy, for a model with residual connections and every LayerNorm.

    It computes one id at a time, because the sums of a matrix product could depend on the number of
    its columns. Prefill is done by the model in PyTorch. The backend shares the model's weights.
    Only the MLP's second matrix is copied, to transpose it.
    """

    name = "NumPy"

    def __init__(self, model: GPT):
        self._prefill = TorchBackend(model)
        self.n_head, self.scale = model.config.n_head, model.config.score_divisor**-0.5
        self.relu = model.config.activation == "relu"
        self.activation = ACTIVATIONS[model.config.activation]
        w = {name: tensor.numpy() for name, tensor in model.state_dict().items()}

        def weight_and_bias(name: str) -> tuple[np.ndarray, np.ndarray | None]:
            return w[f"{name}.weight"], w.get(f"{name}.bias")

        self.token_embedding = w["token_embedding.weight"]
        self.position_embedding = w["position_embedding.weight"]
        self.blocks = [
            (
                weight_and_bias(f"blocks.{i}.ln_attention"),
                weight_and_bias(f"blocks.{i}.attention.qkv"),
                weight_and_bias(f"blocks.{i}.attention.proj"),
                weight_and_bias(f"blocks.{i}.ln_mlp"),
                weight_and_bias(f"blocks.{i}.mlp.up"),
                np.ascontiguousarray(w[f"blocks.{i}.mlp.down.weight"].T),  # (mlp_ratio * C, C)
                w.get(f"blocks.{i}.mlp.down.bias"),
            )
            for i in range(model.config.n_layer)
        ]
        self.ln_final, self.head = weight_and_bias("ln_final"), weight_and_bias("head")

    @np.errstate(over="ignore", invalid="ignore")  # the caller checks the logits
    def __call__(self, parts: Sequence[Part]) -> Tensor:
        return torch.stack(
            [
                self.step(part.cache, part.ids[0])
                if len(part.ids) == 1
                else self._prefill([part])[0]
                for part in parts
            ]
        )

    def step(self, cache: KVCache, token: int) -> Tensor:
        """Append one id to a cache; return the logits (V,) after it."""
        at = cache.length
        keys, values = cache.keys.numpy()[:, 0], cache.values.numpy()[:, 0]  # (L, H, T, size)
        x = self.token_embedding[token] + self.position_embedding[at]  # (C,)
        for layer, block in enumerate(self.blocks):
            ln_attention, qkv, proj, ln_mlp, up, down, down_bias = block
            joined = linear(layer_norm(x, *ln_attention), *qkv)  # (3 * C,)
            q, k, v = joined.reshape(3, self.n_head, -1)  # (H, size)
            keys[layer, :, at], values[layer, :, at] = k, v
            seen = keys[layer, :, : at + 1], values[layer, :, : at + 1]
            x += linear(attend(q, *seen, self.scale), *proj)
            h = linear(layer_norm(x, *ln_mlp), *up)  # (mlp_ratio * C,)
            if self.relu:
                active = np.flatnonzero(h > 0)
                x += h[active] @ down.take(active, axis=0)
            else:
                x += self.activation(torch.from_numpy(h)).numpy() @ down
            if down_bias is not None:
                x += down_bias
        cache.length = at + 1
        return torch.from_numpy(linear(layer_norm(x, *self.ln_final), *self.head))


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    y = weight @ x
    if bias is not None:
        y += bias
    return y


def layer_norm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    y = x - np.add.reduce(x) / len(x)  # (C,)
    y *= 1 / np.sqrt(y @ y / len(y) + 1e-5)
    y *= gain
    if bias is not None:
        y += bias
    return y


def attend(q: np.ndarray, keys: np.ndarray, values: np.ndarray, scale: float) -> np.ndarray:
    """Attention of one query (H, size) over S keys and values (H, S, size); all heads as (C,)."""
    scores = keys @ (q * scale)[:, :, None]  # (H, S, 1)
    scores -= scores.max(axis=1, keepdims=True)
    weights = np.exp(scores, out=scores)
    y = weights.transpose(0, 2, 1) @ values  # (H, 1, size)
    y /= weights.sum(axis=1, keepdims=True)
    return y.ravel()

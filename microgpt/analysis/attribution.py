"""Direct logit attribution: a logit as the sum of what each part of the model adds to it.

Elhage et al., 2021: A Mathematical Framework for Transformer Circuits. The final LayerNorm divides
by the standard deviation of its input. With that number frozen at its value, the logits are a
linear function of the residual stream, and so a sum over everything that was added to it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from microgpt.analysis.ablation import logits_from, logits_without_heads
from microgpt.analysis.position import PositionAt
from microgpt.analysis.residuals import ResidualStream, layer_norm_statistics
from microgpt.config import GPTConfig
from microgpt.model import GPT, finite

Kind = Literal[
    "token embedding",
    "position embedding",
    "head",
    "attention bias",
    "MLP",
    "LayerNorm bias",
    "output bias",
]


@dataclass(frozen=True)
class Part:
    """A part of the model that adds to the logits.

    layer, head: from 0; None for a part that is not in a layer, or is no head. attention bias: the
    bias of a layer's output projection. MLP: with its biases. LayerNorm bias: of the final one.
    """

    kind: Kind
    layer: int | None = None
    head: int | None = None


def parts_of(config: GPTConfig) -> list[Part]:
    """The P parts of a model with residual connections, in the order of the computation.

    Raises ValueError for a model without them: only its last MLP adds to the logits.
    """
    if not config.residual:
        raise ValueError("without residual connections, the logits are not a sum of parts")
    parts = [Part("token embedding"), Part("position embedding")]
    for layer in range(config.n_layer):
        parts += [Part("head", layer, head) for head in range(config.n_head)]
        parts += [Part("attention bias", layer)] * config.linear_bias + [Part("MLP", layer)]
    parts += [Part("LayerNorm bias")] * (config.norm == "all" and config.norm_bias)
    return [*parts, *[Part("output bias")] * config.head_bias]


@dataclass(frozen=True)
class Contrast:
    """What is explained: the logit of one character, or by how much it is above another value.

    target: an id. against: the id whose logit is subtracted, `mean` for the mean of all logits,
    None for nothing.
    """

    target: int
    against: int | Literal["mean"] | None = None

    def of(self, logits: Tensor) -> Tensor:
        """The value from logits (…, V), or from effects on them: (…)."""
        return logits @ self.weights(logits.size(-1))

    def weights(self, vocab_size: int) -> Tensor:
        """The weight of each logit in the value, (V,)."""
        weights = torch.zeros(vocab_size)
        weights[self.target] = 1
        if self.against == "mean":
            weights -= 1 / vocab_size
        elif self.against is not None:
            weights[self.against] -= 1
        return weights


@torch.inference_mode()
def direct_effects(model: GPT, found: PositionAt, contrast: Contrast) -> Tensor:
    """What each part adds directly to the logit, or the difference, at one position, (P,).

    found: what the model computed there. The effects sum to contrast.of(found.logits).
    """
    reader = _reader(model, found, contrast)
    weights = contrast.weights(model.config.vocab_size)
    effects = [torch.stack([found.token @ reader, found.place @ reader])]
    for layer, block in enumerate(found.blocks):
        others = [*_present(model.block(layer).attention.proj.bias), block.computed]
        effects += [block.heads @ reader, torch.stack(others) @ reader]
    effects += [each[None] @ (weights @ model.head.weight) for each in _final_bias(model)]
    effects += [each[None] @ weights for each in _present(model.head.bias)]
    return finite(torch.cat(effects))


@torch.inference_mode()
def source_effects(
    model: GPT, found: PositionAt, values: Tensor, layer: int, head: int, contrast: Contrast
) -> Tensor:
    """The direct effect of one head by the position that it attends to, (S,).

    found: what the model computed at the last of S positions. values: those of the head, (S,
    head_size). The effects sum to that of the head in direct_effects.
    """
    proj = model.block(layer).attention.proj.weight
    readers = (_reader(model, found, contrast) @ proj).unflatten(0, (model.config.n_head, -1))
    return finite(found.blocks[layer].weights[head] * (values @ readers[head]))


@torch.inference_mode()
def neuron_effects(
    model: GPT, found: PositionAt, layer: int, contrast: Contrast
) -> tuple[Tensor, float]:
    """The direct effect of each neuron of an MLP, (mlp_ratio C,), and of its output bias.

    Together they sum to the effect of the MLP in direct_effects.
    """
    down, reader = model.block(layer).mlp.down, _reader(model, found, contrast)
    effects = found.blocks[layer].activations * (reader @ down.weight)
    return finite(effects), 0.0 if down.bias is None else float(down.bias @ reader)


def total_effects_work(model: GPT, length: int) -> int:
    """An upper limit of the multiplications that total_effects needs for a text of this length."""
    return len(parts_of(model.config)) * length * model.parameter_count()


@torch.inference_mode()
def total_effects(
    model: GPT,
    stream: ResidualStream,
    last_only: bool = False,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Tensor:
    """What each part adds to the logits in all, (P, T, V): with it minus without it.

    Without a part means that its output is zero at all positions, and that everything after it is
    computed again. stream: that of the whole model over a text. last_only: return only the last
    position, (P, 1, V). progress is called with the parts done and their number.
    """
    count, found = len(parts_of(model.config)), []
    kept = slice(-1, None) if last_only else slice(None)
    for without in _without_each_part(model, stream):
        found.append(stream.logits[kept] - finite(without[:, kept]))
        progress(sum(map(len, found)), count)
    return torch.cat(found)


def likeliest(logits: Tensor) -> list[int]:
    """The ids of a vocabulary by their logits (V,), the likeliest first."""
    return logits.argsort(descending=True, stable=True).tolist()


def largest(effects: Sequence[float], most: int) -> tuple[list[int], float | None]:
    """The indices of the largest effects by size, and the sum of the others.

    At most `most` indices, or one more if only one effect would be left out. The sum is None if no
    effect is left out.
    """
    order = sorted(range(len(effects)), key=lambda i: -abs(effects[i]))
    if len(order) <= most + 1:
        return order, None
    return order[:most], sum(effects[i] for i in order[most:])


def _without_each_part(model: GPT, stream: ResidualStream) -> Iterator[Tensor]:
    """The logits without each part, in batches (B, T, V)."""
    embedded = stream.points[0]
    positions = model.position_embedding.weight[: len(embedded)]
    yield from logits_from(model, torch.stack([positions, embedded - positions]), 0)
    for layer in range(model.config.n_layer):
        block = model.block(layer)
        before, after = stream.points[2 * layer : 2 * layer + 2]  # its attention, (T, C) each
        yield from logits_without_heads(model, before[None], layer)
        bias = _present(block.attention.proj.bias)
        without = [block.after_attention(after - each) for each in bias]
        yield from logits_from(model, torch.stack([*without, after]), layer + 1)
    for each in _final_bias(model):
        yield (stream.logits - model.head.weight @ each)[None]
    for each in _present(model.head.bias):
        yield (stream.logits - each)[None]


def _present(bias: Tensor | None) -> list[Tensor]:
    """A bias as a list, which is empty if the model has none."""
    return [] if bias is None else [bias]


def _final_bias(model: GPT) -> list[Tensor]:
    """The bias of the final LayerNorm, if there is one."""
    return _present(getattr(model.ln_final, "bias", None))


def _reader(model: GPT, found: PositionAt, contrast: Contrast) -> Tensor:
    """The vector (C,) whose product with the residual stream is the value of the contrast.

    Without the biases; the scale of the final LayerNorm is that at the position.
    """
    reader = contrast.weights(model.config.vocab_size) @ model.head.weight
    if not isinstance(model.ln_final, nn.LayerNorm):
        return reader
    reader = reader * model.ln_final.weight
    _, deviation = layer_norm_statistics(model.ln_final, found.blocks[-1].after)
    return (reader - reader.mean()) / deviation

"""How a number of the forward pass came about: its terms, from the residual stream of a text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from microgpt.analysis.explanation import Explanation, Number, Then
from microgpt.analysis.position import (
    BlockAt,
    PositionAt,
    attention_vectors,
    mlp_vectors,
    shares,
)
from microgpt.analysis.residuals import ResidualStream, layer_norm_statistics
from microgpt.model import GPT, Block


@dataclass(frozen=True)
class Source:
    """Where the number is: the model, the stream of a text, a position, and what is computed there.

    at: the position, from 0. found: of the same model, text and position.
    """

    model: GPT
    stream: ResidualStream
    at: int
    found: PositionAt

    def layer(self, number: Number) -> tuple[Block, BlockAt]:
        """The block of a number, and what it computes at the position."""
        return self.model.block(number.layer), self.found.blocks[number.layer]


@torch.inference_mode()
def explain(source: Source, number: Number) -> Explanation:
    """Compute the terms of a number.

    Raises KeyError for an unknown kind, IndexError if the model has no such number there.
    """
    if min(number.layer, number.head, number.index) < 0:
        raise IndexError(number)
    return EXPLAINED[number.kind](source, number)


def _product(
    value: Tensor, left: Tensor, right: Tensor, constant: Tensor | None = None, scale: float = 1.0
) -> Explanation:
    added = None if constant is None else constant.item()
    return Explanation(value.item(), left.double(), right.double(), scale, added)


def _row(linear: nn.Linear, index: int) -> tuple[Tensor, Tensor | None]:
    """A row of a weight, and its bias if there is one."""
    return linear.weight[index], None if linear.bias is None else linear.bias[index]


def _sum(value: Tensor, terms: Sequence[Tensor]) -> Explanation:
    return Explanation(value.item(), torch.stack([*terms]).double())


def _embedding(source: Source, number: Number) -> Explanation:
    found, index = source.found, number.index
    return _sum(found.embedded[index], [found.token[index], found.place[index]])


def _after_attention(source: Source, number: Number) -> Explanation:
    """The terms: those of attention_vectors."""
    _, found = source.layer(number)
    vectors = attention_vectors(source.model, number.layer, found)
    return _sum(found.middle[number.index], [*vectors[:, number.index]])


def _after_mlp(source: Source, number: Number) -> Explanation:
    """The terms: those of mlp_vectors."""
    _, found = source.layer(number)
    vectors = mlp_vectors(source.model, number.layer, found)
    return _sum(found.after[number.index], [*vectors[:, number.index]])


def _normalised(norm: nn.Module, x: Tensor, index: int) -> Explanation:
    """The terms: the input and minus the mean, each times weight / deviation; then the bias."""
    value = norm(x)[index]
    if not isinstance(norm, nn.LayerNorm):
        return _sum(value, [x[index]])
    mean, deviation = layer_norm_statistics(norm, x)
    left = torch.tensor([x[index].item(), -mean], dtype=torch.float64)
    weight = norm.weight[index].item()
    bias = None if norm.bias is None else norm.bias[index]
    found = _product(value, left, torch.full_like(left, weight / deviation), bias)
    return replace(found, named={"mean": mean, "deviation": deviation, "scale": weight})


def _norm_attention(source: Source, number: Number) -> Explanation:
    block, found = source.layer(number)
    return _normalised(block.ln_attention, found.before, number.index)


def _norm_mlp(source: Source, number: Number) -> Explanation:
    block, found = source.layer(number)
    return _normalised(block.ln_mlp, found.middle, number.index)


def _norm_final(source: Source, number: Number) -> Explanation:
    return _normalised(source.model.ln_final, source.found.blocks[-1].after, number.index)


def _query(source: Source, number: Number) -> Explanation:
    (block, found), size = source.layer(number), source.model.config.head_size
    row = range(number.head * size, (number.head + 1) * size)[number.index]
    value = found.queries[number.head, number.index]
    return _product(value, found.norm_attention, *_row(block.attention.qkv, row))


def _score(source: Source, number: Number) -> Explanation:
    block, found = source.layer(number)
    value, query = found.scores[number.head, number.index], found.queries[number.head]
    key = source.stream.keys[number.layer, number.head, number.index]
    return _product(value, query, key, scale=block.attention.scale)


def _weight(source: Source, number: Number) -> Explanation:
    """The terms: e to the power of each score minus the largest score."""
    _, found = source.layer(number)
    scores = found.scores[number.head].double()
    value = found.weights[number.head, number.index].item()
    return Explanation(value, (scores - scores.max()).exp(), then="share", of=number.index)


def _mixed(source: Source, number: Number) -> Explanation:
    (_, found), head, index = source.layer(number), number.head, number.index
    values = source.stream.values[number.layer, head, : source.at + 1, index]
    return _product(found.mixed[head, index], found.weights[head], values)


def _attended(source: Source, number: Number) -> Explanation:
    """The terms: the mixed values of all heads, (H · head_size,), times a row of the projection."""
    (block, found), index = source.layer(number), number.index
    row = _row(block.attention.proj, index)
    return _product(found.attended[index], found.mixed.flatten(), *row)


def _neuron(source: Source, number: Number) -> Explanation:
    (block, found), index = source.layer(number), number.index
    summed = _product(found.activations[index], found.norm_mlp, *_row(block.mlp.up, index))
    return replace(summed, then=cast(Then, source.model.config.activation))


def _computed(source: Source, number: Number) -> Explanation:
    (block, found), index = source.layer(number), number.index
    return _product(found.computed[index], found.activations, *_row(block.mlp.down, index))


def _logit(source: Source, number: Number) -> Explanation:
    found, index = source.found, number.index
    return _product(found.logits[index], found.norm_final, *_row(source.model.head, index))


def _length(source: Source, number: Number) -> Explanation:
    point = source.stream.points[number.index, source.at]
    return Explanation(point.norm().item(), point.double(), point.double(), then="root")


def _attention_share(source: Source, number: Number) -> Explanation:
    _, found = source.layer(number)
    vectors = attention_vectors(source.model, number.layer, found)
    return _share(vectors[number.index], found.middle)


def _attended_share(source: Source, number: Number) -> Explanation:
    _, found = source.layer(number)
    return _share(found.attended[None][number.index], found.middle)


def _mlp_share(source: Source, number: Number) -> Explanation:
    _, found = source.layer(number)
    vectors = mlp_vectors(source.model, number.layer, found)
    return _share(vectors[number.index], found.after)


def _share(part: Tensor, total: Tensor) -> Explanation:
    """The terms: the products of `shares`, divided by the squared length of the sum."""
    [value] = shares(part[None], total)
    square = total.double().square().sum().item()
    return _product(value, part, total, scale=1 / square if square else 0.0)


# By kind. `index` is a channel, unless the comment says something else.
EXPLAINED: dict[str, Callable[[Source, Number], Explanation]] = {
    "embedding": _embedding,
    "norm_attention": _norm_attention,
    "query": _query,  # of the head; index: a channel of the head
    "score": _score,  # of the head; index: the position of the key
    "weight": _weight,  # of the head; index: the position of the key
    "mixed": _mixed,  # of the head; index: a channel of the head
    "attended": _attended,
    "middle": _after_attention,
    "norm_mlp": _norm_mlp,
    "neuron": _neuron,  # index: the neuron
    "computed": _computed,
    "after": _after_mlp,
    "norm_final": _norm_final,
    "logit": _logit,  # index: the token
    "length": _length,  # index: a point of the stream
    "attention_share": _attention_share,  # index: a row of attention_vectors
    "attended_share": _attended_share,  # of all heads and the bias; index: 0
    "mlp_share": _mlp_share,  # index: a row of mlp_vectors
}

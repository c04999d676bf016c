"""What a model computes at one position of a text, from its residual stream.

Nothing here runs the whole model: a block needs its points of the stream at this position, and the
keys and values up to it. M is the width of the MLP, S the number of positions up to this one.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from microgpt.analysis.residuals import ResidualStream
from microgpt.model import GPT, attend, finite


@dataclass(frozen=True)
class BlockAt:
    """What a block computes at one position.

    before: (C,) the stream at its input. norm_attention: (C,) after the first LayerNorm. queries:
    (H, head_size). scores: (H, S), scaled. weights: (H, S), their softmax. mixed: (H, head_size)
    the values, mixed by the weights. heads: (H, C) what each head adds. attended: (C,) what all
    heads and the bias of the projection add. middle: (C,) the stream after the attention. norm_mlp:
    (C,) after the second LayerNorm. neurons: (M,) before the activation function. activations: (M,)
    after it. computed: (C,) what the MLP adds. after: (C,) the stream at the output.

    Without LayerNorm, norm_attention is before and norm_mlp is middle. Without residual
    connections, middle is attended and after is computed.
    """

    before: Tensor
    norm_attention: Tensor
    queries: Tensor
    scores: Tensor
    weights: Tensor
    mixed: Tensor
    heads: Tensor
    attended: Tensor
    middle: Tensor
    norm_mlp: Tensor
    neurons: Tensor
    activations: Tensor
    computed: Tensor
    after: Tensor

    @property
    def active(self) -> int:
        """The number of neurons with a positive activation: those that a ReLU lets through."""
        return int((self.neurons > 0).sum())

    @property
    def sharpest_head(self) -> int:
        """The head, from 0, with the largest weight on one character."""
        return int(self.weights.amax(dim=-1).argmax())


@dataclass(frozen=True)
class PositionAt:
    """What a model computes at one position.

    token, place: (C,) the embeddings of the character and of the position. embedded: (C,) their
    sum. blocks: all L blocks. norm_final: (C,) after the last LayerNorm. logits: (V,).
    """

    token: Tensor
    place: Tensor
    embedded: Tensor
    blocks: Sequence[BlockAt]
    norm_final: Tensor
    logits: Tensor


@dataclass(frozen=True)
class StreamPart:
    """A part of the residual stream at one of its points.

    name: `stream` (the stream before), `head`, `bias` (of the heads' projection) or `mlp`; `token`
    or `position` at the embedding. head: from 0, for a head. length: the Euclidean norm of what it
    adds. share: see `shares`.
    """

    name: str
    head: int | None
    length: float
    share: float


@torch.inference_mode()
def position_at(model: GPT, ids: Sequence[int], stream: ResidualStream, at: int) -> PositionAt:
    """Compute what a model does at a position from 0 of a text. stream: that of the same ids.

    The result shares no memory with the model and the stream. Raises IndexError if there is no such
    position, and ModelOverflowError.
    """
    return PositionAt(
        model.token_embedding.weight[ids[at]].clone(),
        model.position_embedding.weight[at].clone(),
        stream.points[0, at].clone(),
        [block_at(model, stream, layer, at) for layer in range(model.config.n_layer)],
        model.ln_final(stream.points[-1, at].clone()),
        stream.logits[at].clone(),
    )


@torch.inference_mode()
def block_at(model: GPT, stream: ResidualStream, layer: int, at: int) -> BlockAt:
    """Compute what a block does at a position; layer and position from 0.

    The result shares no memory with the stream. Raises ModelOverflowError.
    """
    block = model.block(layer)
    before, middle, after = stream.points[2 * layer : 2 * layer + 3, at].clone().unbind()
    norm_attention = block.ln_attention(before)
    projected, _, _ = block.attention.project_qkv(norm_attention[None, None])
    queries = projected[0, :, 0]  # (H, head_size)
    keys, values = (each[layer, :, : at + 1] for each in (stream.keys, stream.values))
    scale = block.attention.scale
    scores = (keys @ queries[:, :, None])[..., 0] * scale  # (H, S)
    mixed, weights = attend(queries[None, :, None], keys[None], values[None], scale=scale)
    mixed = mixed[0, :, 0]  # (H, head_size)
    proj = block.attention.proj
    split = proj.weight.unflatten(1, (block.attention.n_head, -1))  # (C, H, head_size)
    norm_mlp = block.ln_mlp(middle)
    neurons = block.mlp.up(norm_mlp)
    activations = block.mlp.activation(neurons)
    return BlockAt(
        before=before,
        norm_attention=norm_attention,
        queries=queries.clone(),
        scores=finite(scores),
        weights=weights[0, :, 0],
        mixed=mixed,
        heads=torch.einsum("hd,chd->hc", mixed, split),
        attended=proj(mixed.flatten()),
        middle=middle,
        norm_mlp=norm_mlp,
        neurons=neurons,
        activations=activations,
        computed=block.mlp.down(activations),
        after=after,
    )


def embedding_parts(found: PositionAt) -> list[StreamPart]:
    """The parts of the embedding: the character and its position."""
    return _parts(["token", "position"], torch.stack([found.token, found.place]), found.embedded)


def attention_parts(model: GPT, layer: int, found: BlockAt) -> list[StreamPart]:
    """The parts of the stream after the attention, in the order of `attention_vectors`."""
    names = [*_stream(model, layer), *["head"] * len(found.heads)]
    names += ["bias"] * model.config.linear_bias
    return _parts(names, attention_vectors(model, layer, found), found.middle)


def mlp_parts(model: GPT, layer: int, found: BlockAt) -> list[StreamPart]:
    """The parts of the stream after the MLP, in the order of `mlp_vectors`."""
    names = [*_stream(model, layer), "mlp"]
    return _parts(names, mlp_vectors(model, layer, found), found.after)


def attention_vectors(model: GPT, layer: int, found: BlockAt) -> Tensor:
    """The vectors (N, C) that sum to the stream after the attention.

    They are the stream before, if there are residual connections, what each head adds, and the bias
    of the projection, if there is one.
    """
    before = [found.before for _ in _stream(model, layer)]
    bias = model.block(layer).attention.proj.bias
    return torch.stack([*before, *found.heads, *([] if bias is None else [bias])])


def mlp_vectors(model: GPT, layer: int, found: BlockAt) -> Tensor:
    """The vectors (N, C) that sum to the stream after the MLP.

    They are the stream before, if there are residual connections, and what the MLP adds.
    """
    return torch.stack([*(found.middle for _ in _stream(model, layer)), found.computed])


def _stream(model: GPT, layer: int) -> list[str]:
    """The name of the part that the residual connection adds, if there is one."""
    return ["stream"] if model.block(layer).residual else []


def shares(parts: Tensor, total: Tensor) -> Tensor:
    """The shares (N,) of N parts (N, C) in their sum (C,); they sum to 1.

    The share of a part is how far it points along the sum, divided by the length of the sum. It is
    negative for a part that points against the sum. The shares in a sum of length 0 are 0.
    """
    square = total.double().square().sum()
    along = parts.double() @ total.double()
    return along / square if square else torch.zeros_like(along)


def _parts(names: Sequence[str], vectors: Tensor, total: Tensor) -> list[StreamPart]:
    lengths = vectors.double().norm(dim=-1).tolist()
    found = shares(vectors, total).tolist()
    first = names.index("head") if "head" in names else 0
    return [
        StreamPart(name, at - first if name == "head" else None, length, share)
        for at, (name, length, share) in enumerate(zip(names, lengths, found, strict=True))
    ]


def position_npz(found: PositionAt, text: str, at: int, weights_sha256: str) -> bytes:
    """All numbers at a position, from 0, of a text as one .npz file.

    Its arrays: the fields of PositionAt; those of BlockAt with a first axis for the L layers; text;
    position, from 1; weights_sha256, the hash of the checkpoint's weights.
    """
    arrays = {
        field.name: getattr(found, field.name)
        for field in fields(PositionAt)
        if field.name != "blocks"
    }
    for field in fields(BlockAt):
        arrays[field.name] = torch.stack([getattr(block, field.name) for block in found.blocks])
    file = io.BytesIO()
    np.savez_compressed(
        file,
        text=np.array(text),
        position=np.array(at + 1),
        weights_sha256=np.array(weights_sha256),
        **{name: values.numpy() for name, values in arrays.items()},
    )
    return file.getvalue()

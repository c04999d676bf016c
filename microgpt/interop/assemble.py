"""What is read from the file of another program, and a model made of its weights."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from microgpt.checkpoint.limits import check_model
from microgpt.checkpoint.weights import all_finite, assign_weights, stored
from microgpt.config import GPTConfig
from microgpt.interop import InteropError
from microgpt.interop.vocabulary import check_tokens
from microgpt.model import GPT, without_weights

# The parts whose biases an option of GPTConfig leaves out together.
_BIASES = {
    "norm_bias": ("ln_attention", "ln_mlp", "ln_final"),
    "qkv_bias": ("attention.qkv",),
    "linear_bias": ("attention.proj", "mlp.up", "mlp.down"),
    "head_bias": ("head",),
}
# What the name of a weight says about a model that ours cannot express.
_FOREIGN = {
    "rotary position embeddings (RoPE)": r"rotary|rope|inv_freq|freqs_cis",
    "cross-attention": r"cross",
    "grouped-query attention": r"\b(q_proj|k_proj|v_proj|kv_proj|wk|wq|wv|c_kv)\b",
    "a gated MLP (SwiGLU)": r"gate|swiglu|\bw[123]\b|c_fc2",
    "RMSNorm": r"rms|\.gain$|\bg$",
    "a mixture of experts": r"expert|router",
    "adapters (LoRA)": r"lora",
}


@dataclass(frozen=True)
class Choices:
    """What the file of a model does not say, and the caller must.

    vocabulary: a file with the characters (see read_vocabulary). data: the text that the model was
    trained on; without a vocabulary, the characters are those of the text. n_head: heads of a
    block. score_scale: a value of SCORE_SCALES. command: recorded in the checkpoint.
    """

    vocabulary: Path | None = None
    data: Path | None = None
    n_head: int | None = None
    score_scale: str | None = None
    command: str = ""


@dataclass(frozen=True)
class Found:
    """A model as another program saved it.

    characters: in the order of their ids; None if the file does not hold them. about: what the file
    says about its training, as text.
    """

    model: GPT
    characters: str | None = None
    about: str = ""
    steps: int = 0
    tokens: int = 0
    data: str = ""


def assemble(
    weights: Mapping[str, Tensor],
    n_head: int,
    *,
    activation: str,
    score_scale: str = "head_size",
    dropout: float = 0.0,
) -> GPT:
    """A model in eval mode, float32, from weights with our names.

    The shape is that of the weights. A head without a weight of its own, or with that of the
    embedding, is tied. Biases that are all zero are left out, which changes no number. Raises
    InteropError, ConfigError or CheckpointError if the weights are not those of one of our models.
    """
    weights = dict(weights)
    for name in ("token_embedding.weight", "position_embedding.weight", "blocks.0.mlp.up.weight"):
        if name not in weights or weights[name].ndim != 2 or not weights[name].numel():
            raise InteropError(f"the weights have no matrix {name}, in the names of microGPT")
    embedding = weights["token_embedding.weight"]
    check_tokens(len(embedding))
    head = weights.get("head.weight", embedding)
    if tied := head.shape == embedding.shape and torch.equal(head, embedding):
        weights.pop("head.weight", None)
    biases = {
        option: any(
            bool(each.any())
            for name, each in weights.items()
            if name.endswith(tuple(f"{part}.bias" for part in parts))
        )
        for option, parts in _BIASES.items()
    }
    width, channels = weights["blocks.0.mlp.up.weight"].shape
    qkv = weights.get("blocks.0.attention.qkv.weight")
    if qkv is not None and qkv.ndim == 2 and channels < len(qkv) < 3 * channels:
        raise InteropError(foreign("grouped-query attention", "qkv"))
    if width % channels:
        raise InteropError(f"the MLP is {width} wide; it must be a multiple of {channels} channels")
    config = GPTConfig(
        vocab_size=len(embedding),
        block_size=len(weights["position_embedding.weight"]),
        n_layer=len({name.split(".")[1] for name in weights if name.startswith("blocks.")}),
        n_head=n_head,
        n_embd=channels,
        mlp_ratio=width // channels,
        dropout=dropout,
        activation=activation,
        score_scale=score_scale,
        tied=tied,
        norm_bias=biases["norm_bias"],
        qkv_bias=biases["qkv_bias"],
        linear_bias=biases["linear_bias"],
        head_bias=biases["head_bias"],
    )
    check_model(config)
    model = without_weights(config)
    expected = stored(model)
    left_out = tuple(
        f"{part}.bias" for option, parts in _BIASES.items() if not biases[option] for part in parts
    )
    weights = {name: each for name, each in weights.items() if not name.endswith(left_out)}
    for name in weights.keys() - expected.keys():
        raise InteropError(f"microGPT has no weight {name}")
    found = {}
    for name, like in expected.items():
        if name not in weights and not name.endswith(".bias"):
            raise InteropError(f"the weight {name} is missing")
        tensor = weights.get(name, torch.zeros(1).expand(like.shape))
        if tensor.shape != like.shape:
            raise InteropError(
                f"the weight {name} has the shape {list(tensor.shape)}; the embedding and the MLP "
                f"of this model need {list(like.shape)}"
            )
        found[name] = tensor.detach().float().clone(memory_format=torch.contiguous_format)
    if not all_finite(found.values()):
        raise InteropError("the weights contain NaN or infinite numbers")
    assign_weights(model, found)
    return model.eval().requires_grad_(False)


def in_order(model: GPT, characters: str) -> tuple[GPT, str]:
    """The model and its characters with the ids in sorted order, as our tokenizer has them."""
    order = sorted(range(len(characters)), key=characters.__getitem__)
    weights = stored(model)
    for name in ("token_embedding.weight", "head.weight", "head.bias"):
        if name in weights:
            weights[name] = weights[name][order]
    assign_weights(model, weights)
    return model.requires_grad_(False), "".join(characters[i] for i in order)


def foreign(what: str, name: str) -> str:
    """The message for a model with a part that ours cannot have."""
    return f"this model has {what} ({name[:80]}), which microGPT does not have"


def refuse(name: str) -> None:
    """Raise InteropError for a weight of another program that ours has no place for."""
    for what, pattern in _FOREIGN.items():
        if re.search(pattern, name, re.IGNORECASE):
            raise InteropError(foreign(what, name))
    raise InteropError(foreign("a part of another kind", name))

"""Export a checkpoint as a folder that Hugging Face transformers loads without custom code.

The architecture is GPT-2, with differences. GPT-2 has a bias in every LayerNorm and linear layer of
a block; the export sets those that the model lacks to zero. GPT-2 has no bias on the head; the
export folds ours into the bias of the last LayerNorm. GPT-2 scales scores by head_size^-0.5; the
export multiplies the queries of a model with another scale. The export itself does not need
transformers.

    AutoModelForCausalLM.from_pretrained(folder)
    AutoTokenizer.from_pretrained(folder)
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from microgpt import atomic
from microgpt.checkpoint import Checkpoint
from microgpt.config import GPTConfig
from microgpt.interop import InteropError
from microgpt.model import GPT
from microgpt.tokenizer import CharTokenizer

# The names of the files, which transformers expects.
CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"
TOKENIZER_CONFIG = "tokenizer_config.json"
# The layers of a block, and their names in GPT-2.
LAYERS = {
    "ln_attention": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.proj": "attn.c_proj",
    "ln_mlp": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}
# The largest difference that folding the head's bias may make to a logit.
_TOLERANCE = 1e-5
# The names of the activation functions in transformers.
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "gelu_tanh": "gelu_new"}


def export(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the files of `contents` to a folder, atomically.

    Raises InteropError when GPT-2 cannot express the model, OSError when the folder cannot be
    written.
    """
    files = contents(checkpoint)
    with atomic.replacing(folder) as partial:
        partial.mkdir()
        for name, content in files.items():
            (partial / name).write_bytes(content)


def contents(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The files of the export: the weights in float32, the config and the tokenizer.

    Raises InteropError when GPT-2 cannot express the model.
    """
    files = {
        CONFIG: gpt2_config(checkpoint.config),
        TOKENIZER: tokenizer_json(checkpoint.tokenizer),
        TOKENIZER_CONFIG: {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": checkpoint.config.block_size,
            "clean_up_tokenization_spaces": False,
        },
    }
    weights = save(state_dict(checkpoint.model), {"format": "pt"})
    return {WEIGHTS: weights} | {name: json_bytes(values) for name, values in files.items()}


def json_bytes(values: dict[str, Any]) -> bytes:
    """The content of a JSON file of the export."""
    return (json.dumps(values, ensure_ascii=False, indent=1) + "\n").encode()


def gpt2_config(config: GPTConfig) -> dict[str, Any]:
    """The values of a transformers GPT2Config. Raises InteropError when GPT-2 cannot express it."""
    if not config.residual or config.norm != "all":
        raise InteropError(
            "this model was trained without residual connections or without some LayerNorms, "
            "which GPT-2 always has; export a checkpoint with residual true and norm all"
        )
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.vocab_size,
        "n_positions": config.block_size,
        "n_embd": config.n_embd,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_inner": config.mlp_ratio * config.n_embd,
        "activation_function": ACTIVATIONS[config.activation],
        "attn_pdrop": config.dropout,
        "embd_pdrop": 0.0,
        "resid_pdrop": config.dropout,
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": config.tied,
        "bos_token_id": None,
        "eos_token_id": None,
        "dtype": "float32",
    }


def state_dict(model: GPT) -> dict[str, Tensor]:
    """The weights of a model with the names of GPT2LMHeadModel, which transposes its matrices.

    Raises InteropError when the head's bias cannot be folded.
    """
    w = with_scaled_queries(model)

    def bias(name: str) -> Tensor:
        return w.get(f"{name}.bias", torch.zeros(len(w[f"{name}.weight"])))

    theirs = {
        "transformer.wte.weight": w["token_embedding.weight"],
        "transformer.wpe.weight": w["position_embedding.weight"],
        "transformer.ln_f.weight": w["ln_final.weight"],
        "transformer.ln_f.bias": bias("ln_final") + folded_bias(w["head.weight"], bias("head")),
    }
    if not model.config.tied:
        theirs["lm_head.weight"] = w["head.weight"]
    for i in range(model.config.n_layer):
        for part, name in LAYERS.items():
            ours = f"blocks.{i}.{part}"
            weight = w[f"{ours}.weight"]  # a matrix is (in, out) there
            theirs[f"transformer.h.{i}.{name}.weight"] = weight if weight.ndim == 1 else weight.T
            theirs[f"transformer.h.{i}.{name}.bias"] = bias(ours)
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in theirs.items()}


def with_scaled_queries(model: GPT) -> dict[str, Tensor]:
    """The weights of a model, with queries that give the same scores scaled by head_size^-0.5."""
    weights = model.state_dict()
    factor = (model.config.head_size / model.config.score_divisor) ** 0.5
    if factor == 1:
        return weights
    for name in [name for name in weights if ".attention.qkv." in name]:
        weights[name] = weights[name].clone()
        weights[name][: model.config.n_embd] *= factor
    return weights


def folded_bias(weight: Tensor, bias: Tensor) -> Tensor:
    """The vector (C,) that, added to the last LayerNorm's bias, replaces the head's bias (V,).

    It is the solution x of weight @ x = bias with the smallest norm. It exists when the rows of the
    head's weight (V, C) are linearly independent. Raises InteropError if there is no solution.
    """
    folded = torch.linalg.lstsq(weight.double().cpu(), bias.double().cpu()[:, None], driver="gelsd")
    x = folded.solution[:, 0].float()
    difference = float((weight.cpu() @ x - bias.cpu()).abs().max())
    if not difference <= _TOLERANCE * max(1.0, float(bias.abs().max())):  # also refuses NaN
        raise InteropError(
            f"the format has no bias on the head, and that of this model cannot be folded into the "
            f"last LayerNorm; export a model whose n_embd ({weight.size(1)} here) is at least the "
            f"vocabulary size ({weight.size(0)} here)"
        )
    return x


def tokenizer_json(tokenizer: CharTokenizer) -> dict[str, Any]:
    """A tokenizer.json for the tokenizers library: BPE over single characters, without merges.

    Because there is no unknown token, the library drops characters outside the vocabulary.
    """
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {char: i for i, char in enumerate(tokenizer.characters)},
            "merges": [],
        },
    }

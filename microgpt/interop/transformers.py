"""A checkpoint as a folder that Hugging Face transformers opens, without code of ours.

transformers knows the architecture as GPT-2 with ReLU. Two things differ: its attention has a bias
on queries, keys and values, which is zero here, and its head has no bias, so ours is folded into
the bias of the last LayerNorm. Neither the weights nor the tokenizer need transformers to be
written.

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

# The largest change of a logit, from folding the bias of the head, that counts as equal.
_TOLERANCE = 1e-5


def export(checkpoint: Checkpoint, folder: Path) -> None:
    """Write config.json, model.safetensors (float32) and the tokenizer, whole or not at all.

    Raises InteropError when GPT-2 cannot express the model, OSError when the folder cannot be
    written.
    """
    files = {
        "config.json": gpt2_config(checkpoint.config),
        "tokenizer.json": tokenizer_json(checkpoint.tokenizer),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": checkpoint.config.block_size,
            "clean_up_tokenization_spaces": False,
        },
    }
    weights = state_dict(checkpoint.model)
    with atomic.replacing(folder) as partial:
        partial.mkdir()
        (partial / "model.safetensors").write_bytes(save(weights, {"format": "pt"}))
        for name, values in files.items():
            text = json.dumps(values, ensure_ascii=False, indent=1) + "\n"
            (partial / name).write_text(text, encoding="utf-8", newline="")


def gpt2_config(config: GPTConfig) -> dict[str, Any]:
    """The values of a transformers GPT2Config. Raises InteropError when GPT-2 cannot express it."""
    if not config.residual or config.norm != "all":
        raise InteropError(
            "GPT-2 always has residual connections and every LayerNorm, and this model was trained "
            "without some of them; export a checkpoint with residual true and norm all"
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
        "activation_function": "relu",
        "attn_pdrop": config.dropout,
        "embd_pdrop": 0.0,
        "resid_pdrop": config.dropout,
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
        "dtype": "float32",
    }


def state_dict(model: GPT) -> dict[str, Tensor]:
    """The weights of a model under the names of GPT2LMHeadModel, whose matrices are transposed.

    Raises InteropError when the head's bias cannot be folded.
    """
    w = model.state_dict()
    theirs = {
        "transformer.wte.weight": w["token_embedding.weight"],
        "transformer.wpe.weight": w["position_embedding.weight"],
        "transformer.ln_f.weight": w["ln_final.weight"],
        "transformer.ln_f.bias": w["ln_final.bias"] + folded_bias(w["head.weight"], w["head.bias"]),
        "lm_head.weight": w["head.weight"],
    }
    for i in range(model.config.n_layer):
        for ours, name in (("ln_attention", "ln_1"), ("ln_mlp", "ln_2")):
            for part in ("weight", "bias"):
                theirs[f"transformer.h.{i}.{name}.{part}"] = w[f"blocks.{i}.{ours}.{part}"]
        for ours, name in (
            ("attention.qkv", "attn.c_attn"),
            ("attention.proj", "attn.c_proj"),
            ("mlp.up", "mlp.c_fc"),
            ("mlp.down", "mlp.c_proj"),
        ):
            weight = w[f"blocks.{i}.{ours}.weight"].T  # (in, out)
            bias = w.get(f"blocks.{i}.{ours}.bias", torch.zeros(weight.size(1)))
            theirs[f"transformer.h.{i}.{name}.weight"] = weight
            theirs[f"transformer.h.{i}.{name}.bias"] = bias
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in theirs.items()}


def folded_bias(weight: Tensor, bias: Tensor) -> Tensor:
    """What to add to the last LayerNorm's bias (C,) in place of the head's bias (V,).

    It is the x of least norm with weight @ x = bias, which exists when the rows of the head's
    weight (V, C) are independent. Raises InteropError when they are not.
    """
    folded = torch.linalg.lstsq(weight.double().cpu(), bias.double().cpu()[:, None], driver="gelsd")
    x = folded.solution[:, 0].float()
    if (weight.cpu() @ x - bias.cpu()).abs().max() > _TOLERANCE * max(1.0, float(bias.abs().max())):
        raise InteropError(
            f"transformers' GPT-2 has no bias on its head, and this one's cannot be folded into "
            f"the last LayerNorm: that needs n_embd, {weight.size(1)}, to be at least the "
            f"vocabulary's {weight.size(0)} characters"
        )
    return x


def tokenizer_json(tokenizer: CharTokenizer) -> dict[str, Any]:
    """A tokenizer.json of the tokenizers library: a BPE of single characters without merges.

    A character outside the vocabulary is left out, as that library does without an unknown token.
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

"""Export a checkpoint as a folder that Hugging Face transformers loads without custom code.

The architecture is GPT-2 with ReLU, with two differences. GPT-2 has a bias on queries, keys and
values; the export sets it to zero. GPT-2 has no bias on the head; the export folds ours into the
bias of the last LayerNorm. The export itself does not need transformers.

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

# The largest difference that folding the head's bias may make to a logit.
_TOLERANCE = 1e-5


def export(checkpoint: Checkpoint, folder: Path) -> None:
    """Write config.json, model.safetensors (float32) and the tokenizer, atomically.

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
    """The weights of a model with the names of GPT2LMHeadModel, which transposes its matrices.

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
    """The vector (C,) that, added to the last LayerNorm's bias, replaces the head's bias (V,).

    It is the solution x of weight @ x = bias with the smallest norm. It exists when the rows of the
    head's weight (V, C) are linearly independent. Raises InteropError if there is no solution.
    """
    folded = torch.linalg.lstsq(weight.double().cpu(), bias.double().cpu()[:, None], driver="gelsd")
    x = folded.solution[:, 0].float()
    if (weight.cpu() @ x - bias.cpu()).abs().max() > _TOLERANCE * max(1.0, float(bias.abs().max())):
        raise InteropError(
            f"GPT-2 has no bias on the head, and this model's bias cannot be folded into the last "
            f"LayerNorm; export a model whose n_embd ({weight.size(1)} here) is at least the "
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

"""Export a checkpoint as the two files that nanoGPT's sample.py opens: ckpt.pt and meta.pkl.

    cp FOLDER/meta.pkl data/microgpt/    # in nanoGPT's folder
    python sample.py --out_dir=FOLDER

nanoGPT has exact GELU, scores scaled by head_size^-0.5, a head without a bias that is tied to the
embedding, and biases everywhere else or nowhere. Biases that the model lacks become zero, another
scale goes into the queries, and a bias of the head into the last LayerNorm. A model that differs in
anything else is refused.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from microgpt import atomic
from microgpt.checkpoint import Checkpoint
from microgpt.config import ACTIVATIONS, GPTConfig
from microgpt.interop import InteropError
from microgpt.interop.state_dicts import GPT2
from microgpt.interop.transformers import LAYERS, folded_bias, with_scaled_queries
from microgpt.model import GPT

# The data set in the config of ckpt.pt, in whose folder sample.py looks for meta.pkl.
DATASET = "microgpt"


def export(checkpoint: Checkpoint, folder: Path) -> None:
    """Write ckpt.pt and meta.pkl, atomically.

    Raises InteropError when nanoGPT cannot express the model, OSError when the folder cannot be
    written.
    """
    saved = io.BytesIO()
    torch.save(saved_values(checkpoint.model, checkpoint.training.steps), saved)
    characters = checkpoint.tokenizer.characters
    meta = {
        "vocab_size": len(characters),
        "itos": dict(enumerate(characters)),
        "stoi": {char: i for i, char in enumerate(characters)},
    }
    with atomic.replacing(folder) as partial:
        partial.mkdir()
        (partial / "ckpt.pt").write_bytes(saved.getvalue())
        (partial / "meta.pkl").write_bytes(pickle.dumps(meta, protocol=4))


def saved_values(model: GPT, steps: int) -> dict[str, Any]:
    """The content of ckpt.pt. Raises InteropError when nanoGPT cannot express the model."""
    return {
        "model": state_dict(model),
        "model_args": model_args(model.config),
        "iter_num": steps,
        "config": {"dataset": DATASET},
    }


def model_args(config: GPTConfig) -> dict[str, Any]:
    """The arguments of nanoGPT's GPTConfig.

    Raises InteropError when nanoGPT cannot express the model.
    """
    differences = {
        f"{ACTIVATIONS[config.activation]} instead of GELU": config.activation != "gelu",
        "a head that is not tied to the embedding": not config.tied,
        "no residual connections": not config.residual,
        "no LayerNorm in some places": config.norm != "all",
        f"an MLP of {config.mlp_ratio} instead of 4 times the channels": config.mlp_ratio != 4,
    }
    if found := [what for what, differs in differences.items() if differs]:
        raise InteropError(
            f"nanoGPT cannot hold this model, which has {' and '.join(found)}; export it to "
            "transformers, or train one with --set activation=gelu --set tied=true"
        )
    return {
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_embd": config.n_embd,
        "block_size": config.block_size,
        "bias": any((config.norm_bias, config.qkv_bias, config.linear_bias, config.head_bias)),
        "vocab_size": config.vocab_size,
        "dropout": config.dropout,
    }


def state_dict(model: GPT) -> dict[str, Tensor]:
    """The weights with the names of nanoGPT. Raises InteropError when it cannot express them."""
    w = with_scaled_queries(model)
    named = {ours: theirs for theirs, ours in GPT2.items()}
    bias = model_args(model.config)["bias"]
    theirs = {}
    places = {named["ln_final"]: "ln_final"}
    for i in range(model.config.n_layer):
        places |= {
            f"transformer.h.{i}.{name}": f"blocks.{i}.{ours}" for ours, name in LAYERS.items()
        }
    for name in ("token_embedding.weight", "position_embedding.weight"):
        theirs[named[name]] = w[name]
    for name, ours in places.items():
        theirs[f"{name}.weight"] = w[f"{ours}.weight"]
        if bias:
            zeros = torch.zeros(len(w[f"{ours}.weight"]))
            theirs[f"{name}.bias"] = w.get(f"{ours}.bias", zeros)
    if model.config.head_bias:
        last = f"{named['ln_final']}.bias"
        theirs[last] = theirs[last] + folded_bias(w["head.weight"], w["head.bias"])
    found = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in theirs.items()}
    return found | {"lm_head.weight": found["transformer.wte.weight"]}

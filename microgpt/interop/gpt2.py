"""Import a GPT-2 of Hugging Face transformers whose tokens are single characters."""

import reprlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from microgpt.formats import parse_json
from microgpt.hub.files import download_files
from microgpt.hub.repo import parse_repo
from microgpt.interop import InteropError
from microgpt.interop.assemble import Choices, Found, assemble, foreign
from microgpt.interop.state_dicts import GPT2, renamed

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# The files that hold the vocabulary; the first that exists is used.
TOKENIZERS = ("tokenizer.json", "vocab.json")
# The largest size of each file in bytes. The weights may be in float32.
LIMITS = {CONFIG: 2**20, "tokenizer.json": 2**22, "vocab.json": 2**20, WEIGHTS: 1024 * 10**6}
# The activation functions of transformers that are ours, by their names there.
ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}
# The values that ours needs, by the name of the setting in GPT2Config, whose default each is; and
# what a model with another value has.
_FIXED = {
    "scale_attn_weights": (True, "attention scores without a scale"),
    "scale_attn_by_inverse_layer_idx": (False, "attention scores scaled by the layer"),
    "add_cross_attention": (False, "cross-attention"),
    "layer_norm_epsilon": (1e-5, "another epsilon in its LayerNorms"),
}
# What models of other types have that ours cannot, as far as a name tells.
_TYPES = {
    "llama": "rotary position embeddings (RoPE), RMSNorm and a gated MLP (SwiGLU)",
    "mistral": "rotary position embeddings (RoPE), RMSNorm and a gated MLP (SwiGLU)",
    "qwen2": "rotary position embeddings (RoPE), RMSNorm and a gated MLP (SwiGLU)",
    "gpt_neox": "rotary position embeddings (RoPE)",
    "gptj": "rotary position embeddings (RoPE)",
    "t5": "an encoder with cross-attention",
}


def import_transformers(name: str | Path, choices: Choices) -> Found:
    """Read a folder of transformers, or a repo USER/NAME[@REVISION] on the Hub.

    Raises InteropError for a model that ours cannot express, and HubError.
    """
    folder = Path(name)
    if folder.is_dir():
        return _read(folder, choices, folder.absolute().name)
    if folder.exists():
        raise InteropError(f"{folder.name} is a file; pass the folder with {CONFIG} and {WEIGHTS}")
    with tempfile.TemporaryDirectory() as temporary:
        ref = parse_repo(str(name))
        download_files(ref, LIMITS, Path(temporary))
        return _read(Path(temporary), choices, str(ref))


def _read(folder: Path, choices: Choices, name: str) -> Found:
    config = _json(folder, CONFIG)
    kind = config.get("model_type")
    if kind != "gpt2":
        shown = reprlib.repr(kind)
        raise InteropError(
            f"this is a model of the type {shown}; microGPT can open the type 'gpt2'"
            if not isinstance(kind, str) or kind not in _TYPES
            else foreign(_TYPES[kind], kind)
        )
    for setting, (value, what) in _FIXED.items():
        if config.get(setting, value) != value:
            raise InteropError(foreign(what, setting))
    activation = config.get("activation_function", "gelu_new")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        shown = f"the activation function {reprlib.repr(activation)}"
        raise InteropError(foreign(shown, "activation_function"))
    n_head, dropout = config.get("n_head", 12), config.get("resid_pdrop", 0.1)
    weights = {_full(each): tensor for each, tensor in _weights(folder).items()}
    matrices = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    turned = tuple(f"{each}.weight" for each in matrices)  # (in, out) there
    weights = {
        each: tensor.T if each.endswith(turned) and tensor.ndim == 2 else tensor
        for each, tensor in weights.items()
    }
    model = assemble(
        renamed(weights, GPT2),
        n_head if isinstance(n_head, int) else 0,
        activation=ACTIVATIONS[activation],
        dropout=dropout if isinstance(dropout, float) else 0.0,
    )
    characters = None if choices.vocabulary else _characters(folder)
    return Found(model, characters, about=f"the transformers model {name}")


def _json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        raise InteropError(f"this is not a transformers model: {name} is missing")
    return parse_json(name, _bytes(path))


def _bytes(path: Path) -> bytes:
    limit = LIMITS[path.name]
    with open(path, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InteropError(f"{path.name} has more than {limit:,} bytes, the most that is read")
    return data


def _weights(folder: Path) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    if not path.is_file():
        raise InteropError(
            f"the weights are not in {WEIGHTS}, the only file that is read; save the model with "
            "save_pretrained"
        )
    if path.stat().st_size > LIMITS[WEIGHTS]:
        raise InteropError(f"{WEIGHTS} has more than {LIMITS[WEIGHTS]:,} bytes")
    try:
        return load_file(path)
    except OSError as error:
        raise InteropError(f"{WEIGHTS} cannot be read: {error.strerror}") from error
    except MemoryError:
        raise
    except Exception as error:  # a malformed file may raise anything
        raise InteropError(f"{WEIGHTS} is not a safetensors file, or is truncated") from error


def _full(name: str) -> str:
    """The name of a weight of GPT2LMHeadModel; GPT2Model has no prefix."""
    bare = not name.startswith(("transformer.", "lm_head."))
    return f"transformer.{name}" if bare else name


def _characters(folder: Path) -> str | None:
    """The characters in the order of their ids; None if the folder has no vocabulary.

    Raises InteropError for a vocabulary of other tokens.
    """
    if (folder / TOKENIZERS[0]).is_file():
        tokenizer = _json(folder, TOKENIZERS[0])
        model = tokenizer.get("model")
        vocabulary = model.get("vocab") if isinstance(model, Mapping) else None
        if isinstance(model, Mapping) and model.get("merges"):
            raise _not_characters("merges, as a BPE vocabulary has")
        for part in ("pre_tokenizer", "decoder"):
            if "ByteLevel" in str(tokenizer.get(part)):
                raise _not_characters("bytes in place of characters (ByteLevel)")
    elif (folder / TOKENIZERS[1]).is_file():
        vocabulary = _json(folder, TOKENIZERS[1])
    else:
        return None
    if not isinstance(vocabulary, Mapping) or not vocabulary:
        raise InteropError("the tokenizer has no vocabulary that gives each character an id")
    for token in vocabulary:
        if len(token) != 1:
            raise _not_characters(f"the token {reprlib.repr(token)}")
    ids = list(vocabulary.values())
    if not all(type(each) is int for each in ids) or sorted(ids) != list(range(len(ids))):
        raise InteropError("the tokenizer must number its characters from 0, each with its own id")
    return "".join(sorted(vocabulary, key=vocabulary.__getitem__))


def _not_characters(what: str) -> InteropError:
    return InteropError(f"the tokenizer has {what}; microGPT has a vocabulary of single characters")

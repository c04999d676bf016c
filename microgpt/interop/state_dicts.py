"""The names of the weights in other programs, and how to rename them to ours.

nanoGPT             github.com/karpathy/nanoGPT, model.py
minGPT              github.com/karpathy/minGPT, mingpt/model.py; since 2022 with the names of GPT-2,
                    before with `blocks` and with exact GELU
ng-video-lecture    github.com/karpathy/ng-video-lecture, gpt.py, and the original microGPT
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from microgpt.checkpoint import WEIGHTS
from microgpt.checkpoint.folder import FILES
from microgpt.config import MODEL_LIMITS
from microgpt.interop import InteropError
from microgpt.interop.assemble import foreign, refuse
from microgpt.interop.torch_file import is_plain

# For each program, the names of the weights outside the blocks, and of the layers of a block.
GPT2 = {
    "transformer.wte.weight": "token_embedding.weight",
    "transformer.wpe.weight": "position_embedding.weight",
    "transformer.ln_f": "ln_final",
    "lm_head": "head",
    "ln_1": "ln_attention",
    "attn.c_attn": "attention.qkv",
    "attn.c_proj": "attention.proj",
    "ln_2": "ln_mlp",
    "mlp.c_fc": "mlp.up",
    "mlp.c_proj": "mlp.down",
}
OLD_MINGPT = {
    "tok_emb.weight": "token_embedding.weight",
    "pos_emb": "position_embedding.weight",
    "ln_f": "ln_final",
    "head": "head",
    "ln1": "ln_attention",
    "attn.proj": "attention.proj",
    "ln2": "ln_mlp",
    "mlp.0": "mlp.up",
    "mlp.2": "mlp.down",
    **{f"attn.{part}": f"attention.{part}" for part in ("query", "key", "value")},
}
LECTURE = {
    "token_embedding_table.weight": "token_embedding.weight",
    "position_embedding_table.weight": "position_embedding.weight",
    "ln_f": "ln_final",
    "lm_head": "head",
    "ln1": "ln_attention",
    "sa.proj": "attention.proj",
    "ln2": "ln_mlp",
    "ffwd.net.0": "mlp.up",
    "ffwd.net.2": "mlp.down",
}
# The most numbers that a checkpoint can hold, and the embedding again as a tied head.
_MAX_NUMBERS = FILES[WEIGHTS] // 2 + int(MODEL_LIMITS["vocab_size"][1] * MODEL_LIMITS["n_embd"][1])
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# The causal masks, which are saved although they are not weights.
_MASKS = re.compile(r"\.(attn\.(bias|masked_bias|mask)|sa\.heads\.\d+\.tril)$")
_BLOCK = re.compile(r"(?:transformer\.h|blocks)\.(\d{1,3})\.(.+)")
_HEAD = re.compile(r"sa\.heads\.(\d{1,3})\.(query|key|value)\.weight")


def renamed(weights: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """The weights of another program with our names, and queries, keys and values together.

    names: one of the tables above. Raises InteropError for a weight that ours has no place for.
    """
    if not weights.keys() & names.keys():
        known = next(iter(names))
        raise InteropError(f"these are not the weights of that program: {known} is missing")
    found: dict[str, Tensor] = {}
    weights = {name: tensor for name, tensor in weights.items() if not _MASKS.search(name)}
    # A tensor may claim to be larger than what it has in the file.
    if sum(tensor.numel() for tensor in weights.values()) > _MAX_NUMBERS:
        raise InteropError("these weights are more numbers than a checkpoint of microGPT can hold")
    for name, tensor in weights.items():
        if not is_plain(tensor) or tensor.dtype not in _DTYPES:
            raise InteropError(
                f"the weight {name} is a tensor of a kind that is not read; save the weights as "
                "dense tensors of float32, bfloat16 or float16"
            )
        block = _BLOCK.fullmatch(name)
        prefix, own = (f"blocks.{int(block[1])}.", block[2]) if block else ("", name)
        if head := _HEAD.fullmatch(own):
            found[f"{prefix}attention.{head[2]}.{int(head[1])}"] = tensor
            continue
        layer, _, part = own.rpartition(".")
        if own in names:
            found[names[own]] = tensor
        elif layer in names and part in ("weight", "bias"):
            found[f"{prefix}{names[layer]}.{part}"] = tensor
        else:
            refuse(name)
    return _joined(found)


def _joined(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Join the matrices of queries, keys and values, which may also be apart for each head."""
    parts = re.compile(r"(blocks\.\d+\.attention)\.(query|key|value)\.(\w+)")
    apart = {match[0]: match for name in weights if (match := parts.fullmatch(name))}
    found = {name: tensor for name, tensor in weights.items() if name not in apart}
    for attention in dict.fromkeys(match[1] for match in apart.values()):
        for kind in ("weight", "bias"):
            rows = [
                weights[name]
                for part in ("query", "key", "value")
                for name in _of_part(apart, f"{attention}.{part}", kind)
            ]
            if rows:
                try:
                    found[f"{attention}.qkv.{kind}"] = torch.cat(rows)
                except RuntimeError as error:
                    raise InteropError(foreign("heads of several sizes", attention)) from error
    return found


def _of_part(apart: Mapping[str, re.Match[str]], start: str, kind: str) -> list[str]:
    """The names of one of the three matrices: one, or one for each head in order."""
    if kind == "bias":
        return [name for name in (f"{start}.bias",) if name in apart]
    heads = sorted(
        (
            name
            for name, match in apart.items()
            if name.startswith(f"{start}.") and match[3].isdigit()
        ),
        key=lambda name: int(apart[name][3]),
    )
    return heads or [name for name in (f"{start}.weight",) if name in apart]


def heads_of_lecture(weights: Mapping[str, Tensor]) -> int:
    """The number of heads of a block in the lecture's names."""
    return len({match[1] for name in weights if (match := re.search(r"sa\.heads\.(\d+)\.", name))})

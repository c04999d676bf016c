"""The same weights in llama.cpp, through the package xllamacpp, if it is installed.

llama.cpp runs every GPT-2 with GELU instead of ReLU, so it writes another text. The work is the
same: the shapes are those of our model, and GELU is a small part of the time.
"""

from pathlib import Path

import numpy as np
from timing import FLOAT32, INT8, THREADS, Contender, PerStep, title

from microgpt.interop.transformers import state_dict
from microgpt.model import GPT

LLAMA_CPP = "llama.cpp"
# Our name of each part of GPT2LMHeadModel, and that of a GGUF file.
_NAMES = {
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "transformer.ln_f": "output_norm",
    "lm_head": "output",
    "transformer.h": "blk",
    "ln_1": "attn_norm",
    "ln_2": "ffn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def contenders(model: GPT, folder: Path, per_step: PerStep) -> dict[str, Contender]:
    try:
        import gguf
        import xllamacpp
    except ImportError:
        return {}
    kinds = {INT8: "Q8_0", FLOAT32: "F32"}
    for kind in kinds:
        _save(gguf, model, gguf.GGMLQuantizationType[kinds[kind]], folder / f"{kind}.gguf")

    def make(kind: str, threads: int) -> Contender:
        settings = xllamacpp.CommonParams()
        settings.model.path = str(folder / f"{kind}.gguf")
        settings.n_ctx = model.config.block_size
        settings.n_parallel = 1
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
        settings.verbosity = 0
        server = xllamacpp.Server(settings)

        def write(ids: list[int], count: int) -> None:
            request = {"prompt": ids, "n_predict": count, "temperature": 0, "ignore_eos": True}
            result = server.handle_completions({**request, "cache_prompt": False})
            assert result["usage"]["completion_tokens"] == count

        return per_step(write)

    return {title(LLAMA_CPP, kind, n): make(kind, n) for kind in kinds for n in THREADS}


def _save(gguf, model: GPT, kind, path: Path) -> None:
    """Write a GGUF file with matrices of the given type."""
    c = model.config
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_block_count(c.n_layer)
    writer.add_context_length(c.block_size)
    writer.add_embedding_length(c.n_embd)
    writer.add_feed_forward_length(c.mlp_ratio * c.n_embd)
    writer.add_head_count(c.n_head)
    writer.add_layer_norm_eps(1e-5)
    tokens = [f"<{i}>" for i in range(c.vocab_size)]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges([f"{tokens[0]} {tokens[1]}"])  # the reader wants at least one
    for name, tensor in state_dict(model).items():
        values = tensor.numpy()
        if ".c_" in name and values.ndim == 2:
            values = np.ascontiguousarray(values.T)  # GPT2LMHeadModel transposes its matrices
        for theirs, ours in _NAMES.items():
            name = name.replace(theirs, ours)
        if values.ndim == 2 and not name.startswith(("token_embd", "position_embd")):
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

"""The same weights in other libraries, if they are installed.

Hugging Face transformers and CTranslate2 run the model as a GPT-2 with ReLU. See also
others_onnx.py and others_llama_cpp.py.
"""

from functools import partial
from pathlib import Path

import numpy as np
import others_llama_cpp
import others_onnx
import torch
from timing import FLOAT32, INT8, THREADS, Contender, PerStep, check, per_step, some_ids, title

from microgpt.interop.transformers import gpt2_config, state_dict
from microgpt.model import GPT

TRANSFORMERS, CTRANSLATE2 = "transformers", "CTranslate2"
RUNTIMES = (CTRANSLATE2, others_onnx.ONNX_RUNTIME, others_onnx.OPENVINO, others_llama_cpp.LLAMA_CPP)
PACKAGES = (TRANSFORMERS, "ctranslate2", "onnxruntime", "openvino", "xllamacpp")


def contenders(model: GPT, folder: Path, steps: int, before: int) -> dict[str, Contender]:
    """The contenders of these libraries, by name.

    Each takes the ids of a prompt and returns seconds per character, over `steps` characters that
    follow `before` others.
    """
    measured = partial(per_step, steps=steps, before=before)
    return {
        **_transformers(model, measured),
        **_ctranslate2(model, folder, measured),
        **others_onnx.contenders(model, folder, measured),
        **others_llama_cpp.contenders(model, folder, measured),
    }


def is_other(name: str) -> bool:
    return name.startswith((TRANSFORMERS, *RUNTIMES))


def _transformers(model: GPT, per_step: PerStep) -> dict[str, Contender]:
    try:
        from transformers import GPT2Config, GPT2LMHeadModel
    except ImportError:
        return {}
    values = gpt2_config(model.config)
    config = GPT2Config(**{name: values[name] for name in values if name != "model_type"})
    other = GPT2LMHeadModel(config).eval().requires_grad_(False)
    other.load_state_dict(state_dict(model))
    ids = some_ids(model)
    check(TRANSFORMERS, other(torch.tensor([ids])).logits[0], model, ids)

    def write(ids: list[int], count: int) -> None:
        prompt = torch.tensor([ids])
        length = {"max_new_tokens": count, "min_new_tokens": count}
        with torch.inference_mode():
            out = other.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                do_sample=False,
                use_cache=True,
                pad_token_id=0,
                **length,
            )
        assert out.size(1) == len(ids) + count

    def on(threads: int) -> Contender:
        measured = per_step(write)

        def contender(ids: list[int]) -> float:
            before = torch.get_num_threads()
            torch.set_num_threads(threads)
            try:
                return measured(ids)
            finally:
                torch.set_num_threads(before)

        return contender

    return {title(TRANSFORMERS, "cached", n): on(n) for n in THREADS}


def _ctranslate2(model: GPT, folder: Path, per_step: PerStep) -> dict[str, Contender]:
    try:
        import ctranslate2
    except ImportError:
        return {}
    c = model.config
    tokens = [f"<{i}>" for i in range(c.vocab_size)]
    _save_ctranslate2(ctranslate2, model, tokens, folder)

    def make(compute_type: str, threads: int) -> Contender:
        generator = ctranslate2.Generator(
            str(folder), compute_type=compute_type, inter_threads=1, intra_threads=threads
        )
        if compute_type == FLOAT32:
            ids = some_ids(model)
            logits = generator.forward_batch([[tokens[i] for i in ids]])
            check(CTRANSLATE2, torch.from_numpy(np.array(logits))[0], model, ids)

        def write(ids: list[int], count: int) -> None:
            (result,) = generator.generate_batch(
                [[tokens[i] for i in ids]],
                max_length=count,
                min_length=count,
                sampling_topk=1,
                include_prompt_in_result=False,
            )
            assert len(result.sequences[0]) == count

        return per_step(write)

    return {title(CTRANSLATE2, kind, n): make(kind, n) for kind in (INT8, FLOAT32) for n in THREADS}


def _save_ctranslate2(ctranslate2, model: GPT, tokens: list[str], folder: Path) -> None:
    specs = ctranslate2.specs
    c = model.config
    spec = specs.TransformerDecoderModelSpec.from_config(
        c.n_layer, c.n_head, pre_norm=True, activation=specs.common_spec.Activation.RELU
    )
    w = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    decoder = spec.decoder

    def fill(part, name: str, gain: str = "weight") -> None:
        setattr(part, gain, w[f"{name}.weight"])
        bias = w.get(f"{name}.bias")
        if bias is not None:
            setattr(part, "beta" if gain == "gamma" else "bias", bias)

    decoder.scale_embeddings = False
    decoder.embeddings.weight = w["token_embedding.weight"]
    decoder.position_encodings.encodings = w["position_embedding.weight"]
    fill(decoder.layer_norm, "ln_final", "gamma")
    fill(decoder.projection, "head")
    for i, layer in enumerate(decoder.layer):
        fill(layer.self_attention.layer_norm, f"blocks.{i}.ln_attention", "gamma")
        fill(layer.self_attention.linear[0], f"blocks.{i}.attention.qkv")
        fill(layer.self_attention.linear[1], f"blocks.{i}.attention.proj")
        fill(layer.ffn.layer_norm, f"blocks.{i}.ln_mlp", "gamma")
        fill(layer.ffn.linear_0, f"blocks.{i}.mlp.up")
        fill(layer.ffn.linear_1, f"blocks.{i}.mlp.down")
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = tokens[0]
    spec.register_vocabulary(tokens)
    spec.validate()
    spec.save(str(folder))

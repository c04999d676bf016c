"""Export a checkpoint as an ONNX graph, for ONNX Runtime, OpenVINO and other runtimes.

The graph is built by hand, in the order of model.py. Its inputs and outputs are named as in the
exports of Hugging Face Optimum. B, T and P, the number of positions in the cache, are dynamic;
P + T is at most block_size.

    input_ids (B, T) int64                            logits (B, T, V)
    past_key_values.0.key (B, H, P, head_size) …      present.0.key (B, H, P + T, head_size) …
    past_key_values.0.value …                         present.0.value …

The first call passes empty caches (P = 0). Each further call passes the tokens that follow, and the
outputs present.* of the call before as past_key_values.*.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import __version__, atomic
from microgpt.checkpoint import Checkpoint
from microgpt.interop import InteropError
from microgpt.interop.transformers import tokenizer_json
from microgpt.model import GPT

try:
    from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
except ImportError as error:
    raise InteropError(
        "the export to ONNX needs the package onnx; install it with: pip install onnx"
    ) from error

# Opset 17 is the first with LayerNormalization. A lower version is read by more runtimes.
OPSET, IR_VERSION = 17, 8


def export(checkpoint: Checkpoint, folder: Path) -> None:
    """Write model.onnx (float32) and tokenizer.json (of the tokenizers library), atomically.

    Raises OSError when the folder cannot be written.
    """
    model = onnx_model(checkpoint.model).SerializeToString()
    tokenizer = json.dumps(tokenizer_json(checkpoint.tokenizer), ensure_ascii=False, indent=1)
    with atomic.replacing(folder) as partial:
        partial.mkdir()
        (partial / "model.onnx").write_bytes(model)
        (partial / "tokenizer.json").write_text(tokenizer + "\n", encoding="utf-8", newline="")


def onnx_model(model: GPT) -> ModelProto:
    """The ONNX model of a GPT."""
    c = model.config
    graph = _Graph(model)
    logits = _gpt(graph)

    def cache(name: str, length: str) -> ValueInfoProto:
        shape = ("batch", c.n_head, length, c.head_size)
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    layers = [(i, part) for i in range(c.n_layer) for part in ("key", "value")]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "time"])
    out = helper.make_tensor_value_info(logits, TensorProto.FLOAT, ["batch", "time", c.vocab_size])
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "microgpt",
            [ids, *(cache(f"past_key_values.{i}.{part}", "past") for i, part in layers)],
            [out, *(cache(f"present.{i}.{part}", "past + time") for i, part in layers)],
            graph.initializers,
        ),
        producer_name="microgpt",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )


class _Graph:
    """The nodes and weights of a graph; a value of the graph is its name."""

    def __init__(self, model: GPT):
        self.config = model.config
        self.weights = {name: w.cpu().numpy() for name, w in model.state_dict().items()}
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []

    def constant(self, values: Any, name: str = "") -> str:
        name = name or f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(self.weights[name], name)

    def add(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node with one output, and return it."""
        name = name or f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name, **attributes))
        return name

    def split(self, x: str, parts: int) -> list[str]:
        """Split x into equal parts along its last axis."""
        names = [f"Split_{len(self.nodes)}.{part}" for part in range(parts)]
        self.nodes.append(helper.make_node("Split", [x], names, axis=-1))
        return names


def _linear(g: _Graph, x: str, name: str) -> str:
    y = g.add("MatMul", x, g.constant(g.weights[f"{name}.weight"].T, f"{name}.weight"))
    return g.add("Add", y, g.weight(f"{name}.bias")) if f"{name}.bias" in g.weights else y


def _norm(g: _Graph, x: str, name: str) -> str:
    if f"{name}.weight" not in g.weights:
        return x
    weights = [
        g.weight(f"{name}.{part}") for part in ("weight", "bias") if f"{name}.{part}" in g.weights
    ]
    return g.add("LayerNormalization", x, *weights, axis=-1, epsilon=1e-5)


def _attention(g: _Graph, x: str, layer: int, mask: str) -> str:
    c, name = g.config, f"blocks.{layer}.attention"
    heads = g.constant(np.array([0, 0, c.n_head, c.head_size]))  # 0 keeps the size of an axis
    q, k, v = (
        g.add("Transpose", g.add("Reshape", part, heads), perm=[0, 2, 1, 3])
        for part in g.split(_linear(g, x, f"{name}.qkv"), 3)
    )  # (B, H, T, head_size) each
    past = f"past_key_values.{layer}"
    k = g.add("Concat", f"{past}.key", k, name=f"present.{layer}.key", axis=2)
    v = g.add("Concat", f"{past}.value", v, name=f"present.{layer}.value", axis=2)
    # Scaling the queries gives the scaled scores.
    q = g.add("Mul", q, g.constant(np.float32(c.score_divisor**-0.5)))
    scores = g.add("MatMul", q, g.add("Transpose", k, perm=[0, 1, 3, 2]))  # (B, H, T, P + T)
    scores = g.add("Where", mask, scores, g.constant(np.float32(-np.inf)))
    y = g.add("MatMul", g.add("Softmax", scores, axis=-1), v)  # (B, H, T, head_size)
    y = g.add("Transpose", y, perm=[0, 2, 1, 3])
    y = g.add("Reshape", y, g.constant(np.array([0, 0, c.n_embd])))  # (B, T, C)
    return _linear(g, y, f"{name}.proj")


def _mlp(g: _Graph, x: str, name: str) -> str:
    return _linear(g, _activation(g, _linear(g, x, f"{name}.up")), f"{name}.down")


def _activation(g: _Graph, x: str) -> str:
    """ReLU, or GELU, for which opset 17 has no operator."""

    def times(y: str, factor: float) -> str:
        return g.add("Mul", y, g.constant(np.float32(factor)))

    if g.config.activation == "relu":
        return g.add("Relu", x)
    if g.config.activation == "gelu":
        inner = g.add("Erf", times(x, 0.5**0.5))
    else:
        cube = times(g.add("Mul", x, g.add("Mul", x, x)), 0.044715)
        inner = g.add("Tanh", times(g.add("Add", x, cube), (2 / np.pi) ** 0.5))
    return g.add("Mul", times(x, 0.5), g.add("Add", inner, g.constant(np.float32(1))))


def _block(g: _Graph, x: str, layer: int, mask: str) -> str:
    name = f"blocks.{layer}"
    attended = _attention(g, _norm(g, x, f"{name}.ln_attention"), layer, mask)
    x = g.add("Add", x, attended) if g.config.residual else attended
    computed = _mlp(g, _norm(g, x, f"{name}.ln_mlp"), f"{name}.mlp")
    return g.add("Add", x, computed) if g.config.residual else computed


def _gpt(g: _Graph) -> str:
    """Add all nodes; return the logits."""
    zero, one = g.constant(np.int64(0)), g.constant(np.int64(1))
    past = g.add("Squeeze", g.add("Shape", "past_key_values.0.key", start=2, end=3))
    end = g.add("Add", past, g.add("Squeeze", g.add("Shape", "input_ids", start=1, end=2)))
    positions = g.add("Range", past, end, one)  # (T,)
    x = g.add(
        "Add",
        g.add("Gather", g.weight("token_embedding.weight"), "input_ids"),
        g.add("Gather", g.weight("position_embedding.weight"), positions),
    )  # (B, T, C)
    # The mask (T, P + T) is true for the keys up to a query's own position.
    queries = g.add("Unsqueeze", positions, g.constant(np.array([1])))
    mask = g.add("GreaterOrEqual", queries, g.add("Range", zero, end, one))
    for layer in range(g.config.n_layer):
        x = _block(g, x, layer, mask)
    if g.config.tied:
        head = g.add("Transpose", "token_embedding.weight", perm=[1, 0])
    else:
        head = g.constant(g.weights["head.weight"].T, "head")
    y = g.add("MatMul", _norm(g, x, "ln_final"), head)
    # The last node gives the output its name.
    last = g.weight("head.bias") if g.config.head_bias else g.constant(np.float32(0))
    return g.add("Add", y, last, name="logits")

"""The same weights in ONNX Runtime and in OpenVINO, if they are installed: our ONNX export."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from timing import FLOAT32, INT8, THREADS, Contender, PerStep, check, some_ids, title

from microgpt.interop import InteropError
from microgpt.model import GPT

ONNX_RUNTIME, OPENVINO = "ONNX Runtime", "OpenVINO"


def contenders(model: GPT, folder: Path, per_step: PerStep) -> dict[str, Contender]:
    try:
        from microgpt.interop.onnx import onnx_model
    except InteropError:  # the package onnx is missing
        return {}
    path = folder / "model.onnx"
    path.write_bytes(onnx_model(model).SerializeToString())
    return {**_onnx_runtime(model, path, per_step), **_openvino(model, path, per_step)}


def _cache_names(model: GPT) -> dict[str, str]:
    """The outputs that hold the cache, by the input that takes them in the next call."""
    layers = range(model.config.n_layer)
    parts = [f"{i}.{part}" for i in layers for part in ("key", "value")]
    return {f"past_key_values.{part}": f"present.{part}" for part in parts}


def _greedy(step: Callable[[list[int]], int], ids: list[int], count: int) -> None:
    """Write the most likely characters; step takes tokens and returns the next one."""
    for _ in range(count):
        ids = [step(ids)]


def _onnx_runtime(model: GPT, path: Path, per_step: PerStep) -> dict[str, Contender]:
    try:
        import onnxruntime
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:
        return {}
    int8 = path.with_name("int8.onnx")
    quantize_dynamic(
        path, int8, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"]
    )
    c, cached = model.config, _cache_names(model)
    value = onnxruntime.OrtValue.ortvalue_from_numpy
    empty = value(np.zeros((1, c.n_head, 0, c.head_size), np.float32))

    def make(kind: str, threads: int) -> Contender:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        graph = path if kind == FLOAT32 else int8
        session = onnxruntime.InferenceSession(str(graph), options, ["CPUExecutionProvider"])
        outputs = ["logits", *cached.values()]
        past = dict.fromkeys(cached, empty)

        def logits(ids: list[int]) -> np.ndarray:
            """The logits (T, V) of the next tokens."""
            inputs = {"input_ids": value(np.array([ids])), **past}
            first, *present = session.run_with_ort_values(outputs, inputs)
            past.update(zip(cached, present, strict=True))
            return first.numpy()[0]

        if kind == FLOAT32:
            ids = some_ids(model)
            check(ONNX_RUNTIME, torch.from_numpy(logits(ids)), model, ids)

        def write(ids: list[int], count: int) -> None:
            past.update(dict.fromkeys(cached, empty))
            _greedy(lambda ids: int(logits(ids)[-1].argmax()), ids, count)

        return per_step(write)

    return {
        title(ONNX_RUNTIME, kind, n): make(kind, n) for kind in (INT8, FLOAT32) for n in THREADS
    }


def _openvino(model: GPT, path: Path, per_step: PerStep) -> dict[str, Contender]:
    """OpenVINO keeps the cache itself, as the state of a request, which is faster than tensors."""
    try:
        import openvino
        from openvino.passes import MakeStateful, Manager
    except ImportError:
        return {}
    c, cached = model.config, _cache_names(model)

    def make(threads: int) -> Contender:
        graph = openvino.Core().read_model(path)
        past = {name: [1, c.n_head, -1, c.head_size] for name in cached}
        graph.reshape({"input_ids": [1, -1], **past})
        manager = Manager()
        manager.register_pass(MakeStateful(cached))
        manager.run_passes(graph)
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        request = openvino.compile_model(graph, "CPU", settings).create_infer_request()

        def logits(ids: list[int]) -> np.ndarray:
            """The logits (T, V) of the next tokens."""
            result = request.infer({"input_ids": np.array([ids])}, share_outputs=True)
            return result["logits"][0]

        ids = some_ids(model)
        check(OPENVINO, torch.from_numpy(logits(ids).copy()), model, ids)

        def write(ids: list[int], count: int) -> None:
            request.reset_state()
            _greedy(lambda ids: int(logits(ids)[-1].argmax()), ids, count)

        return per_step(write)

    return {title(OPENVINO, FLOAT32, n): make(n) for n in THREADS}

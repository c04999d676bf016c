"""What the modules of a model computed in a forward pass."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from microgpt.model import GPT


def record(model: GPT, ids: Sequence[int]) -> dict[str, Tensor]:
    """The output (T, N) of each module, by its name in the model; hooks record it."""
    outputs: dict[str, Tensor] = {}

    def keep(name, module, inputs, output):
        outputs[name] = output.reshape(-1, output.size(-1)).clone()

    modules = {name: module for name, module in model.named_modules() if name}
    hooks = [
        module.register_forward_hook(partial(keep, name))
        for name, module in modules.items()
        if name != "blocks"
    ]
    try:
        with torch.inference_mode():
            model(torch.tensor([ids]))
    finally:
        for hook in hooks:
            hook.remove()
    return outputs

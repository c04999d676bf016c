"""The weights of a run at each of its snapshots, in float16."""

import re
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save

from microgpt import atomic
from microgpt.checkpoint.snapshots import SnapshotsError
from microgpt.checkpoint.weights import all_finite, assign_weights, half_precision
from microgpt.config import GPTConfig
from microgpt.model import GPT, M, Transformer, without_weights

_STEP = re.compile(r"step_([0-9]{8})\.safetensors")  # TRAIN_LIMITS allows no longer number


def weights_file(folder: Path, step: int) -> Path:
    """The path of the weights after `step` updates, in a run's folder of snapshots."""
    return folder / f"step_{step:08}.safetensors"


def weights_files(folder: Path) -> dict[int, Path]:
    """The weights in a run's folder of snapshots, by step; {} if there is no such folder."""
    paths = folder.iterdir() if folder.is_dir() else ()
    found = ((_STEP.fullmatch(path.name), path) for path in paths)
    return {int(match[1]): path for match, path in found if match}


def save_weights(folder: Path, model: Transformer, step: int) -> None:
    """Save a model's weights in float16, in one atomic write.

    From them, later versions can measure the model at this step without training again. Raises
    OSError.
    """
    with atomic.replacing(weights_file(folder, step)) as partial:
        partial.write_bytes(save(half_precision(model)))


def load_weights(path: Path, config: GPTConfig) -> GPT:
    """Load a file of save_weights as a GPT. Raises as fill does."""
    return fill(without_weights(config), path)  # unlike GPT(config), it draws no random numbers


def fill(model: M, path: Path) -> M:
    """Load a file of save_weights into a model on the meta device.

    The model is then in eval mode, in float32, on the CPU. Raises SnapshotsError if the weights are
    not finite or do not fit the model.
    """
    try:
        weights = {name: tensor.float() for name, tensor in load(path.read_bytes()).items()}
        assign_weights(model, weights)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise SnapshotsError(f"{path} does not hold weights of this model") from error
    if not all_finite(model.state_dict().values()):
        raise SnapshotsError(f"the weights in {path} are not finite in half precision")
    return model.eval().requires_grad_(False)


def saved_steps(folder: Path) -> list[int]:
    """The steps whose weights are in a run's folder of snapshots. Raises SnapshotsError if none."""
    steps = sorted(weights_files(folder))
    if not steps:
        raise SnapshotsError(f"there are no weights of snapshots in {folder}")
    return steps

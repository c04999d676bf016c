"""Limits of a checkpoint, checked before the first step of a run.

They are the limits of the reader (FILES, and the rows of a loss record), so that every checkpoint
that a run writes can be loaded.
"""

from microgpt.checkpoint.folder import FILES, WEIGHTS, CheckpointError
from microgpt.checkpoint.loss_record import MAX_EVALUATIONS
from microgpt.checkpoint.weights import stored
from microgpt.config import GPTConfig
from microgpt.encoder_decoder import model_for
from microgpt.model import on_meta

_HEADER_BYTES = 256  # of a tensor in the header of a safetensors file, at most


def check_model(config: GPTConfig) -> None:
    """Raise CheckpointError if the weights of a model would not fit in a checkpoint."""
    tensors = stored(on_meta(lambda: model_for(config))).values()
    size = sum(2 * tensor.numel() + _HEADER_BYTES for tensor in tensors)
    if size > FILES[WEIGHTS]:
        raise CheckpointError(
            f"the weights of this model would take {size / 1e6:,.0f} MB and a checkpoint holds at "
            f"most {FILES[WEIGHTS] / 1e6:,.0f} MB; lower n_embd, n_layer or mlp_ratio"
        )


def check_evaluations(count: int) -> None:
    """Raise CheckpointError if a loss record cannot hold this number of loss estimates."""
    if count > MAX_EVALUATIONS:
        raise CheckpointError(
            f"the run would estimate its losses {count:,} times and a loss record holds at most "
            f"{MAX_EVALUATIONS:,} estimates; raise eval_interval"
        )

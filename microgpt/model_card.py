"""The model card of a checkpoint, written from what was measured."""

from microgpt.checkpoint import Training
from microgpt.config import GPTConfig
from microgpt.loss_record import LossRow


def render(config: GPTConfig, training: Training, record: list[LossRow]) -> str:
    """README.md of a checkpoint folder: metadata and text, Markdown."""
    return f"# microGPT\n\nval_loss_full: {training.val_loss_full}\n"

"""The prompt that the Generate page's tabs share."""

from microgpt.checkpoint import Checkpoint
from microgpt.ui.widgets import text_control

EXAMPLES = {
    "A sailor speaks": "FIRST SAILOR:\nThe lamp is out, and still the wind",
    "A queen decides": "QUEEN:\nMy lords, the winter is not done with us,\nAnd ",
    "A scene opens": "SHEPHERD:\nWho comes so late across the hill?\n\nSTRANGER:\n",
}


def prompt_control(checkpoint: Checkpoint) -> str | None:
    """What to go on from; None where the model cannot read it."""
    return text_control(
        checkpoint,
        "Prompt",
        EXAMPLES["A sailor speaks"],
        "prompt",
        when_empty="The prompt is empty, so the model starts from a new line.",
    )

"""The tabs of the Loss record page, and the next steps from them."""

from microgpt.checkpoint import AnyCheckpoint, Checkpoint
from microgpt.ui.attention.controls import TAB as ATTENTION_TAB
from microgpt.ui.attention.steps import LIFE
from microgpt.ui.controls import control
from microgpt.ui.next_steps import ATTENTION, LOSS_RECORD, Step

TAB = control("record_view")
# The names of the tabs.
CURVES, SNAPSHOTS, BASELINES, COMPARE = "Curves", "Snapshots", "Baselines", "Compare runs"


def tabs_of(checkpoint: AnyCheckpoint) -> list[str]:
    """The names of the tabs for a checkpoint, which may lack snapshots or baselines."""
    if not isinstance(checkpoint, Checkpoint):  # the page Cross-attention shows its snapshots
        return [CURVES, COMPARE]
    missing = {SNAPSHOTS: checkpoint.snapshots is None, BASELINES: checkpoint.baselines is None}
    return [tab for tab in (CURVES, SNAPSHOTS, BASELINES, COMPARE) if not missing.get(tab)]


def steps_from(here: str, checkpoint: AnyCheckpoint) -> list[Step]:
    """The steps from a tab with this name to the other tabs, and to one head in the training."""
    labels = {
        CURVES: "See the loss curves",
        SNAPSHOTS: "Watch the model learn",
        BASELINES: "Compare with simple models",
        COMPARE: "Compare with other runs",
    }
    steps = [Step(labels[tab], LOSS_RECORD, TAB, tab) for tab in tabs_of(checkpoint) if tab != here]
    if not isinstance(checkpoint, Checkpoint) or checkpoint.snapshots is None:
        return steps
    return [*steps, Step("Watch one head form", ATTENTION, ATTENTION_TAB, LIFE)]

"""What is known about the training run of a visitor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from microgpt.analysis.head_scores import HeadScores
from microgpt.checkpoint.loss_record import LossRow
from microgpt.config import GPTConfig, TrainConfig
from microgpt.errors import MicroGPTError
from microgpt.training.finish import Source

State = Literal["queued", "training", "paused", "finishing", "done", "failed"]
_RECENT_ROWS = 20  # of the loss record, from which the speed is computed


class JobError(MicroGPTError):
    """A run cannot be accepted, there is no such run, or the operator's setting is malformed."""


@dataclass(frozen=True)
class Sample:
    """What the model wrote after `step` updates, from an empty prompt and with the same draws."""

    step: int
    text: str


@dataclass(frozen=True, eq=False)
class JobStatus:
    """A run as it is now.

    state: `queued` until it has a process; `training` from the start of the process on, with empty
    rows until it has read the text; `paused`; `finishing` while its checkpoint is saved and
    measured; `done`; `failed`. place: in the queue, from 1; 0 if it does not wait. step: updates
    made. rows: the loss record so far. samples: by increasing step. scores: head scores by the step
    of their snapshot; empty for a context window of one character. baselines: the validation losses
    of the text in nats, by the names in analysis.baselines.NAMES; empty until they are fitted.
    note: why a run that is `done` ended early, or None. error: why it is `failed`, or None; both
    are sentences for visitors without their full stop. folder: a checkpoint that can be opened, or
    None; a failed run may have one too.
    """

    state: State
    model: GPTConfig
    train: TrainConfig
    source: Source
    place: int = 0
    step: int = 0
    rows: tuple[LossRow, ...] = ()
    samples: tuple[Sample, ...] = ()
    scores: Mapping[int, HeadScores] = field(default_factory=dict)
    baselines: Mapping[str, float] = field(default_factory=dict)
    note: str | None = None
    error: str | None = None
    folder: Path | None = None

    @property
    def steps(self) -> int:
        return self.train.steps

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("done", "failed")

    @property
    def tokens_per_second(self) -> float | None:
        """The recent speed, including estimates and snapshots; None until there are two rows."""
        return _speed(self.rows[1:])  # the baselines are fitted after the first row

    @property
    def seconds_left(self) -> float | None:
        """The time until the last step at the recent speed; None until that is known."""
        speed = self.tokens_per_second
        tokens_per_step = self.train.batch_size * self.model.block_size
        return (self.steps - self.step) * tokens_per_step / speed if speed else None


def _speed(rows: Sequence[LossRow]) -> float | None:
    recent = rows[-_RECENT_ROWS:]
    if len(recent) < 2:
        return None
    seconds = (recent[-1].wall_seconds or 0.0) - (recent[0].wall_seconds or 0.0)
    return (recent[-1].tokens - recent[0].tokens) / seconds if seconds > 0 else None

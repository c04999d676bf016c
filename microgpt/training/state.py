"""The state of a training run; a resumed run continues exactly as if it had not stopped.

The settings in settings.MAY_CHANGE may change when a run is resumed.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from microgpt import atomic
from microgpt.checkpoint.loss_record import COLUMNS, LossRow, kept_interval, thinned
from microgpt.checkpoint.provenance import MAX_LENGTH
from microgpt.checkpoint.weights import all_finite, half_precision
from microgpt.config import GPTConfig, TrainConfig
from microgpt.encoder_decoder import model_for
from microgpt.errors import MicroGPTError
from microgpt.formats import Document, FormatError, stamped
from microgpt.model import Transformer
from microgpt.training import distributed
from microgpt.training.optim import make_optimizers
from microgpt.training.settings import ResumeError, RunSettings, listed
from microgpt.training.snapshots import Snapshot

# The fields of state.pt, besides `format`.
SAVED = (
    *("configs", "step", "seconds", "wall_seconds", "snapshots"),
    *("rows", "parts", "batches", "rngs", "passage", "changes"),
)
_SNAPSHOT = tuple(each.name for each in fields(Snapshot))


class TrainStateError(MicroGPTError):
    """A saved training state cannot be used."""


class DivergedError(MicroGPTError):
    """The loss or the weights of a run are no longer finite."""


@dataclass
class TrainState:
    """A training run in progress, with everything that it needs to resume.

    ema: a model with the EMA of the weights, or None. batches: the generator of the windows. step:
    updates made. seconds: training time, without evaluation and compilation. rows: the loss record
    so far. snapshots: those of a GPT taken so far; those of an encoder–decoder are computed at the
    end, from the weights that the run keeps. passage: the ids of their passage, empty for an
    encoder–decoder and in a state of an earlier version. changes: the settings that a resumed run
    changed, and at which steps, as text. saved_step: the step of the last saved state. Dropout uses
    PyTorch's global generators, whose states are saved and restored too.
    """

    model: Transformer
    ema: Transformer | None
    optimizers: list[torch.optim.Optimizer]
    batches: torch.Generator
    step: int = 0
    seconds: float = 0.0
    rows: list[LossRow] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    passage: list[int] = field(default_factory=list)
    changes: str = ""
    saved_step: int = 0
    _wall_seconds_before: float = 0.0
    _started: float = field(default_factory=time.perf_counter)

    @classmethod
    def create(
        cls, model_config: GPTConfig, config: TrainConfig, device: torch.device
    ) -> "TrainState":
        """Make the state of a run at step 0; config.seed sets all random numbers."""
        torch.manual_seed(config.seed)
        model = model_for(model_config)
        if config.init == "small":
            model.init_small(torch.Generator().manual_seed(config.seed))
        if rank := distributed.rank():  # each process needs different dropout
            torch.manual_seed(config.seed + 1000 * rank)
        model.to(device)
        ema = copy.deepcopy(model) if config.ema_decay else None
        batches = torch.Generator().manual_seed(config.seed + 1)
        return cls(model, ema, make_optimizers(model, config), batches)

    @property
    def result(self) -> Transformer:
        """The model that would be saved now: the EMA if there is one."""
        return self.ema if self.ema is not None else self.model

    def update_ema(self, decay: float) -> None:
        """Update the EMA of the weights, if there is one; the first update initialises it.

        PyTorch's AveragedModel does the same, but waits for the GPU at every update.
        """
        if self.ema is not None:
            parts = list(self.ema.parameters()), list(self.model.parameters())
            get_ema_multi_avg_fn(decay if self.step > 1 else 0.0)(*parts, None)

    def record(self, row: LossRow, log_interval: int) -> None:
        """Add a row to the loss record, which is thinned when it grows too long."""
        interval = kept_interval(row.step, log_interval)
        if self.rows and interval > kept_interval(self.rows[-1].step, log_interval):
            self.rows = thinned(self.rows, interval)
        self.rows += thinned([row], interval)

    @property
    def wall_seconds(self) -> float:
        """Seconds since the run began, without pauses."""
        return self._wall_seconds_before + time.perf_counter() - self._started

    def leave_out(self, seconds: float) -> None:
        """Do not count the seconds that the run just waited, because someone paused it."""
        self._started += seconds

    def check_finite(self) -> None:
        """Raise DivergedError unless the weights and the optimizers' numbers are finite.

        The weights must also be finite in float16, as a checkpoint holds them.
        """
        moments = (
            value
            for optimizer in self.optimizers
            for values in optimizer.state.values()
            for value in values.values()
            if isinstance(value, Tensor)
        )
        stored = half_precision(self.result).values()
        if not all(all_finite(each) for each in (self.model.parameters(), stored, moments)):
            raise DivergedError(f"the weights are not finite at step {self.step}")

    def _stateful(self) -> list[nn.Module | torch.optim.Optimizer]:
        ema = [self.ema] if self.ema is not None else []
        return [self.model, *ema, *self.optimizers]

    def save(self, path: Path, settings: RunSettings) -> None:
        """Write the state to a file, in one atomic write.

        settings: those of the run, saved with it. Call check_finite first. With several processes,
        each must call this method, and rank 0 writes. Raises TrainStateError if the file cannot be
        written; an earlier state is then unchanged.
        """
        values = {
            "configs": asdict(settings),
            "step": self.step,
            "seconds": self.seconds,
            "wall_seconds": self.wall_seconds,
            "snapshots": [vars(snapshot) for snapshot in self.snapshots],
            "rows": {name: [getattr(row, name) for row in self.rows] for name in COLUMNS},
            "parts": [part.state_dict() for part in self._stateful()],
            "batches": self.batches.get_state(),
            "rngs": distributed.gather(self._rng()),
            "passage": self.passage,
            "changes": self.changes,
        }
        if distributed.rank() == 0:
            self._write(path, values)
        self.saved_step = self.step

    @staticmethod
    def _write(path: Path, values: Mapping[str, Any]) -> None:
        try:
            with atomic.replacing(path) as partial, open(partial, "wb") as file:
                torch.save(stamped(values), file)
        except (OSError, RuntimeError) as error:
            # If a write fails, torch.save raises a RuntimeError that hides the OSError.
            cause = error if isinstance(error, OSError) else error.__context__
            where, reason = path, "the disk may be full"
            if isinstance(cause, OSError):
                where, reason = cause.filename or path, cause.strerror or str(cause)
            raise TrainStateError(f"cannot write {where}: {reason}") from error

    def _rng(self) -> list[torch.Tensor]:
        """The states of the generators that dropout uses in this process."""
        on_gpu = next(self.model.parameters()).is_cuda
        return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if on_gpu else [])]

    def restore(self, path: Path, settings: RunSettings) -> None:
        """Replace this state by the one saved in a file.

        settings: those of the resumed run. Settings in MAY_CHANGE may differ from the saved ones;
        `changes` then names them. Raises ResumeError if another setting differs, and
        TrainStateError if the file is damaged or has a field of a newer version.
        """
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            document = Document.of(path.name, saved)
            before = RunSettings.of(document)
            settings.check_resumes(before, document.values["step"])
            self._load(document)
        except (ResumeError, torch.OutOfMemoryError):
            raise
        except FormatError as error:
            raise TrainStateError(str(error)) from error
        except Exception as error:  # a malformed file may raise anything
            raise TrainStateError(f"the training state {path} cannot be read") from error
        # Thin a record of an earlier version, or one with a shorter log_interval.
        interval = kept_interval(self.step, settings.train.log_interval)
        if interval > settings.train.log_interval:
            self.rows = thinned(self.rows, interval)
        if changes := settings.changes(before):
            note = f"at step {self.step}: {listed(changes)}"
            self.changes = "; ".join(filter(None, (self.changes, note)))
            while len(self.changes) > MAX_LENGTH:  # leave out the oldest
                self.changes = self.changes.partition("; ")[2]

    def _load(self, document: Document) -> None:
        values = document.values if document.format > 1 else _from_format_1(document.values)
        values = document.known(values, SAVED)
        rows = document.known(values["rows"], COLUMNS, "column")
        snapshots = [document.known(each, _SNAPSHOT) for each in values["snapshots"]]
        groups = [group for each in self.optimizers for group in each.param_groups]
        options = [{k: v for k, v in group.items() if k != "params"} for group in groups]
        for part, saved in zip(self._stateful(), values["parts"], strict=True):
            part.load_state_dict(saved)
        # The saved options, such as the learning rate, may be those of other settings.
        groups = [group for each in self.optimizers for group in each.param_groups]
        for group, option in zip(groups, options, strict=True):
            group.update(option)
        self.step = self.saved_step = values["step"]
        self.seconds = values["seconds"]
        self.rows = [
            LossRow(**dict(zip(rows, cells, strict=True)))
            for cells in zip(*rows.values(), strict=True)
        ]
        self.batches.set_state(values["batches"])
        self.snapshots = [Snapshot(**each) for each in snapshots]
        self.passage = values.get("passage", [])
        self.changes = values.get("changes", "")
        self._wall_seconds_before = values["wall_seconds"]
        # A resumed run may have more processes than before; the new ones keep their own generators.
        for set_state, rng in zip(
            (torch.set_rng_state, torch.cuda.set_rng_state),
            dict(enumerate(values["rngs"])).get(distributed.rank(), ()),
            strict=False,
        ):
            set_state(rng)


def _from_format_1(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert format 1, in which rows and snapshots are tuples and snapshots are `moments`."""
    rest = dict(values)
    snapshots = rest.pop("moments")
    rest["rows"] = dict(zip(COLUMNS, zip(*rest["rows"], strict=True), strict=False))
    rest["snapshots"] = [dict(zip(_SNAPSHOT, each, strict=False)) for each in snapshots]
    return rest

"""The folder of a training run beside its checkpoint, DIR.state."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from microgpt import checkpoint
from microgpt.training import distributed
from microgpt.training.lock import exclusive
from microgpt.training.loop import TrainError


class RunFolder:
    """The paths of a run that writes its checkpoint to `out`."""

    def __init__(self, out: Path):
        self.out = out
        self.folder = out.parent / f"{out.name}.state"
        self.state = self.folder / "state.pt"
        self.loss_record = self.folder / checkpoint.LOSS_RECORD
        self.snapshots = self.folder / "snapshots"
        self.lock = self.folder / "lock"

    def check(self, resume: bool) -> None:
        """Raise TrainError if a new run would overwrite another, or if there is none to resume."""
        if not resume and (self.out.exists() or self.state.exists()):
            raise TrainError(
                f"{self.out} or its state already exists; pass --resume or another --out"
            )
        if resume and not self.state.exists():
            raise TrainError(f"there is nothing to resume: {self.state} does not exist")

    @contextlib.contextmanager
    def locked(self, resume: bool) -> Iterator[None]:
        """Make the folder of the state and keep other runs from writing to it; check it again.

        Every process of a run must call this method; rank 0 holds the lock. Raises TrainError in
        all of them if another run holds it.
        """
        with contextlib.ExitStack() as stack:
            error: Exception | None = None
            if distributed.rank() == 0:
                try:
                    self.folder.mkdir(parents=True, exist_ok=True)
                    stack.enter_context(exclusive(self.lock))
                    self.check(resume)
                except BlockingIOError:
                    error = TrainError(
                        f"another run is writing to {self.out}; wait for its end or pass another "
                        "--out"
                    )
                except (TrainError, OSError) as raised:
                    error = raised
            error, *_ = distributed.gather(error)
            if error is not None:
                raise error
            yield

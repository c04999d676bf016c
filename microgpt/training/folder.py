"""The folder of a training run beside its checkpoint, DIR.state."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from microgpt import atomic, checkpoint, locks
from microgpt.training import distributed
from microgpt.training.loop import TrainError


class RunFolder:
    """The paths of a run that writes its checkpoint to `out`."""

    def __init__(self, out: str | Path):
        self.out = Path(out)
        self.folder = self.out.parent / f"{self.out.name}.state"
        self.state = self.folder / "state.pt"
        self.loss_record = self.folder / checkpoint.LOSS_RECORD
        self.snapshots = self.folder / "snapshots"
        self.lock = self.folder / "lock"

    def check(self, resume: bool) -> None:
        """Raise TrainError if a new run would overwrite another, or if there is none to resume."""
        atomic.put_back(self.out)
        if not resume and (self.out.exists() or self.state.exists()):
            raise TrainError(
                f"{self.out} or its state already exists; pass --resume or another --out"
            )
        if resume and not self.state.exists():
            raise TrainError(f"there is nothing to resume: {self.state} does not exist")
        self.check_free()

    def check_free(self) -> None:
        """Raise TrainError if the checkpoint would replace anything but a checkpoint."""
        if self.out.exists() and not (self.out / checkpoint.CONFIG).exists():
            raise TrainError(
                f"{self.out} is not a checkpoint, so it is not replaced; move it elsewhere and "
                "pass --resume"
            )

    @contextlib.contextmanager
    def locked(self, resume: bool) -> Iterator[None]:
        """Make the folder of the state, lock it against other runs, and repeat `check`.

        Every process of a run must call this method; rank 0 holds the lock. In all of them, it
        raises TrainError if another run holds the lock, and OSError if the checkpoint could not be
        written at the end.
        """
        with contextlib.ExitStack() as stack:
            error: Exception | None = None
            if distributed.rank() == 0:
                try:
                    self.folder.mkdir(parents=True, exist_ok=True)
                    self.lock.touch()
                    stack.enter_context(locks.locked(self.lock))
                    self.check(resume)
                    atomic.check_folder(self.out)
                except BlockingIOError:
                    error = TrainError(
                        f"another run is writing to {self.out}; wait until it ends or pass another "
                        "--out"
                    )
                except (TrainError, OSError) as raised:
                    error = raised
            error, *_ = distributed.gather(error)
            if error is not None:
                raise error
            yield

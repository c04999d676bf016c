"""Limits for what a visitor may train, so that a run fits on the server."""

import dataclasses
import re
import sys
from pathlib import Path

from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import known_characters
from microgpt.model import without_weights
from microgpt.training.job_status import JobError

MAX_TEXT_BYTES = 5_000_000  # in UTF-8
MAX_PARAMETERS = 2_000_000
MAX_STEPS = 20_000
MAX_SNAPSHOTS = 60


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of a run's process, where the system has them.

    memory_mib: for memory beyond what the program takes before the training. file_mib: for its
    largest file.
    """

    memory_mib: int = 400
    file_mib: float = 64


def check_request(text: str, model: GPTConfig, train: TrainConfig) -> bytes:
    """Return the text in UTF-8 if a visitor may train this.

    model: its vocab_size is ignored. Raises JobError or DataError, which say what to change.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise JobError("the text is not valid Unicode; save it as UTF-8") from error
    if len(encoded) > MAX_TEXT_BYTES:
        raise JobError(
            f"the text has {len(encoded) / 1e6:,.1f} MB; at most {MAX_TEXT_BYTES / 1e6:.0f} MB are "
            "allowed"
        )
    if train.task != "text" or train.steps > MAX_STEPS or train.snapshot_count > MAX_SNAPSHOTS:
        raise JobError(
            f"a run here trains on a text, for at most {MAX_STEPS:,} steps and with at most "
            f"{MAX_SNAPSHOTS} snapshots"
        )
    least = 10 * model.block_size + 1
    if len(text) < least:
        raise JobError(
            f"a context length of {model.block_size} needs a text of at least {least:,} "
            f"characters; this one has {len(text):,}"
        )
    vocab_size = len(set(known_characters(text, train.rare)))
    shape = dataclasses.replace(model, vocab_size=vocab_size)
    parameters = without_weights(shape).parameter_count()
    if parameters > MAX_PARAMETERS:
        raise JobError(
            f"the model would have {parameters:,} parameters; at most {MAX_PARAMETERS:,} are "
            "allowed here, so lower its layers or channels, or choose a text with fewer different "
            "characters"
        )
    return encoded


def limit_process(limits: Limits) -> None:
    """Limit the memory that this process takes from now on, and its files; only where possible.

    Memory is limited on Linux alone. Address space would be the wrong measure: PyTorch reserves
    more than it uses.
    """
    if sys.platform == "win32":
        return
    import resource

    def limit(kind: int, most: int) -> None:
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, hard))

    limit(resource.RLIMIT_FSIZE, int(limits.file_mib * 2**20))
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        if found := re.search(r"^VmData:\s+(\d+) kB", status, flags=re.MULTILINE):
            limit(resource.RLIMIT_DATA, int(found[1]) * 1024 + limits.memory_mib * 2**20)

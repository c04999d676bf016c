"""The decoding step in C: `step.c`, compiled on this machine and called without the GIL.

A team is a pool of threads that compute one step together, as in OpenMP.
"""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt.model import GPT, KVCache

LANES = 8  # floats in a SIMD vector of step.c; all its sizes are multiples of this
COMPILE_SECONDS = 60
# The threads of larger teams would wait for each other longer than they compute.
TEAM_SIZES = (2, 4, 8)
# If a team needs more than this multiple of the single-thread time, other programs use the cores.
BUSY_FACTOR = 2.0
# Exponential backoff: how many steps are computed on one thread before the team is tried again.
MIN_BACKOFF, MAX_BACKOFF = 64, 4096


class Shape(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int)
        for name in ("window", "layers", "heads", "channels", "hidden", "vocabulary")
    ]


class Job(ctypes.Structure):
    _fields_ = [
        ("shape", ctypes.POINTER(Shape)),
        *((name, ctypes.c_void_p) for name in ("weights", "keys", "values", "scratch", "logits")),
        *((name, ctypes.c_int) for name in ("token", "position")),
    ]


@dataclass
class Team:
    """Threads that compute a step together; a decoder holds the lock while it uses them."""

    size: int
    address: int
    lock: threading.Lock = field(default_factory=threading.Lock)


class CompiledStep:
    """The decoding step in C, for a model with residual connections and every LayerNorm.

    It copies the weights, in float16 if that is exact (true for a saved checkpoint). If
    another decoder uses the team, the step is computed on the caller's thread.
    """

    def __init__(self, model: GPT, library: ctypes.CDLL, half: bool, team: Team | None = None):
        config = model.config
        hidden = config.mlp_ratio * config.n_embd
        padded = -(-config.vocab_size // LANES) * LANES
        self.vocab_size = config.vocab_size
        self.shape = Shape(
            config.block_size, config.n_layer, config.n_head, config.n_embd, hidden, padded
        )
        self.weights = _packed(model, padded, torch.float16 if half else torch.float32)
        self.scratch = (5 + max(TEAM_SIZES)) * config.n_embd + hidden
        self.scratch += config.n_head * config.block_size
        self.library = library
        self.team = team
        self.one_thread_seconds = 0.0
        self.backoff, self.next_backoff = 0, MIN_BACKOFF  # steps on one thread: left, next time

    @property
    def name(self) -> str:
        return f"C, {self.team.size} threads" if self.team else "C, 1 thread"

    def __call__(self, cache: KVCache, token: int) -> Tensor:
        scratch, logits = torch.empty(self.scratch), torch.empty(self.shape.vocabulary)
        tensors = (self.weights, cache.keys, cache.values, scratch, logits)
        addresses = (tensor.data_ptr() for tensor in tensors)
        job = Job(ctypes.pointer(self.shape), *addresses, token, cache.length)
        team = self.team
        if team and not self.backoff and team.lock.acquire(blocking=False):
            started = time.perf_counter()
            try:
                self.library.step(team.address, job)
            finally:
                team.lock.release()
            self._update_backoff(time.perf_counter() - started)
        else:
            self.library.step(None, job)
            self.backoff = max(0, self.backoff - 1)
        cache.length += 1
        return logits[: self.vocab_size]

    def _update_backoff(self, seconds: float) -> None:
        """Back off from the team if its step took too long.

        The threads of a team wait for each other about 25 times in a step. If one of them does not
        get a core, the step takes a hundred times as long.
        """
        if seconds > BUSY_FACTOR * self.one_thread_seconds:
            self.backoff = self.next_backoff
            self.next_backoff = min(2 * self.next_backoff, MAX_BACKOFF)
        else:
            self.next_backoff = max(self.next_backoff - 1, MIN_BACKOFF)

    def choose_team(self, seconds: Callable[["CompiledStep"], float]) -> None:
        """Choose the fastest team as timed by `seconds`, up to PyTorch's number of threads.

        After that, each step decides whether to use the team or one thread.
        """
        self.one_thread_seconds = seconds(self)
        measured: list[tuple[float, Team]] = []
        for size in TEAM_SIZES:
            if size <= torch.get_num_threads() and (team := shared_team(self.library, size)):
                self.team, self.backoff = team, 0
                measured.append((seconds(self), team))
        self.team = min(measured, key=lambda pair: pair[0])[1] if measured else None
        self.backoff, self.next_backoff = 0, MIN_BACKOFF


def _packed(model: GPT, vocabulary: int, dtype: torch.dtype) -> Tensor:
    """All weights as one tensor, in the order of the model's state_dict.

    The vocabulary is padded, and the MLP's second matrix is transposed.
    """
    parts = []
    for name, tensor in model.state_dict().items():
        if name.startswith(("token_embedding.", "head.")):
            rows = vocabulary - len(tensor)
            tensor = F.pad(tensor, (0, 0, 0, rows) if tensor.dim() == 2 else (0, rows))
        elif name.endswith(".mlp.down.weight"):
            tensor = tensor.T
        parts.append(tensor.flatten().to(dtype))
    return torch.cat(parts)


@functools.lru_cache(maxsize=2)
def load_library(half: bool) -> ctypes.CDLL | None:
    """Compile step.c for weights in float16 or float32; None if that is not possible."""
    compiler = shutil.which(os.environ.get("CC") or "cc")
    if compiler is None:
        return None
    source = Path(__file__).with_name("step.c")
    for options in (["-march=native"], []):  # not every compiler supports this option
        # The file is not needed after the library is loaded. Windows does not allow its deletion.
        try:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                path = str(Path(folder) / "step.so")
                command = [compiler, "-O3", f"-DHALF={half:d}", *options, "-pthread", "-shared"]
                command += ["-fPIC", str(source), "-o", path, "-lm"]
                subprocess.run(command, capture_output=True, check=True, timeout=COMPILE_SECONDS)
                library = ctypes.CDLL(path)
        except (OSError, subprocess.SubprocessError):  # also without a folder for temporary files
            continue
        library.new_team.argtypes, library.new_team.restype = [ctypes.c_int], ctypes.c_void_p
        library.step.argtypes = [ctypes.c_void_p, ctypes.POINTER(Job)]
        library.step.restype = None
        return library
    return None


@functools.lru_cache(maxsize=8)
def shared_team(library: ctypes.CDLL, size: int) -> Team | None:
    """The team of this size, shared by the whole process; idle threads sleep. None on failure."""
    address = library.new_team(size)
    return Team(size, address) if address else None


def compiled_step(model: GPT, seconds: Callable[[CompiledStep], float]) -> CompiledStep | None:
    """The decoding step in C with its fastest team, as timed by `seconds`; None if unavailable.

    The first call in a process takes about a second.
    """
    half = all(t.equal(t.half().float()) for t in model.state_dict().values())
    library = None if model.config.head_size % LANES else load_library(half)
    if library is None:
        return None
    step = CompiledStep(model, library, half)
    step.choose_team(seconds)
    return step

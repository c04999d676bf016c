"""The backend in C: `pass.c`, compiled on this machine and called without the GIL.

A team is a pool of threads that compute one pass together.
"""

import contextlib
import ctypes
import functools
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from microgpt import atomic
from microgpt.config import ACTIVATIONS
from microgpt.data import cache_folder
from microgpt.engine.backends import Backend, Part
from microgpt.errors import MicroGPTError
from microgpt.model import GPT, without_weights

LANES = 8  # floats in a SIMD vector of pass.c; all its sizes are multiples of this
SOURCE = Path(__file__).with_name("pass.c")
COMPILE_SECONDS = 60
# The threads of larger teams would wait for each other longer than they compute.
TEAM_SIZES = (2, 4, 8)
# The most threads of a team: PyTorch's number when this module is imported. Later it may be lower.
MOST_THREADS = torch.get_num_threads()
# A pass of this many rows or more has enough work for a team, even if a single row has not.
BATCH = 8
# struct row of pass.c
ROW = np.dtype(
    [
        *((name, np.uintp) for name in ("keys", "values", "logits")),
        *((name, np.int32) for name in ("token", "position")),
    ]
)


class Shape(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int) for name in ("window", "layers", "heads", "channels", "hidden")),
        *((name, ctypes.c_int) for name in ("vocabulary", "activation")),
        ("scale", ctypes.c_float),
    ]


class Pass(ctypes.Structure):
    _fields_ = [
        ("shape", ctypes.POINTER(Shape)),
        *((name, ctypes.c_void_p) for name in ("weights", "rows", "scratch", "active")),
        ("count", ctypes.c_int),
    ]


@dataclass
class Team:
    """Threads that compute a pass together; a backend holds the lock while it uses them."""

    size: int
    address: int
    lock: threading.Lock = field(default_factory=threading.Lock)


class CompiledBackend:
    """The backend in C, for a model with residual connections and every LayerNorm.

    It copies the weights, in float16 if that is exact (true for a saved checkpoint). A pass of at
    least BATCH rows may have another team than a smaller one. If the team is busy with another
    pass, this pass is computed on the caller's thread.
    """

    def __init__(self, model: GPT, library: ctypes.CDLL, half: bool, team: Team | None = None):
        config = model.config
        hidden = config.mlp_ratio * config.n_embd
        padded = -(-config.vocab_size // LANES) * LANES
        self.vocab_size = config.vocab_size
        self.shape = Shape(
            *(config.block_size, config.n_layer, config.n_head, config.n_embd, hidden, padded),
            *(list(ACTIVATIONS).index(config.activation), config.score_divisor**-0.5),
        )
        self.weights = _packed(model, padded, torch.float16 if half else torch.float32)
        self.library = library
        self.team = self.batch_team = team

    @property
    def name(self) -> str:
        most = max(team.size if team else 1 for team in (self.team, self.batch_team))
        return f"C, {most} threads" if most > 1 else "C, 1 thread"

    def __call__(self, parts: Sequence[Part]) -> Tensor:
        rows = np.zeros(sum(len(part.ids) for part in parts), ROW)
        rows["token"] = [token for part in parts for token in part.ids]
        logits = np.empty((len(parts), self.shape.vocabulary), np.float32)
        end = 0
        for part, own in zip(parts, logits, strict=True):
            start, end = end, end + len(part.ids)
            part_rows = rows[start:end]
            part_rows["keys"] = part.cache.keys.data_ptr()
            part_rows["values"] = part.cache.values.data_ptr()
            part_rows["position"] = range(part.cache.length, part.cache.length + len(part.ids))
            part_rows["logits"][-1] = own.ctypes.data
        scratch = np.empty((len(rows), 6 * self.shape.channels + self.shape.hidden), np.float32)
        active = np.empty((len(rows), self.shape.hidden + 1), np.int32)
        arrays = [array.ctypes.data for array in (rows, scratch, active)]
        work = Pass(ctypes.pointer(self.shape), self.weights.data_ptr(), *arrays, len(rows))
        team = self.team if len(rows) < BATCH else self.batch_team
        if team and team.lock.acquire(blocking=False):
            try:
                self.library.run_pass(team.address, work)
            finally:
                team.lock.release()
        else:
            self.library.run_pass(None, work)
        for part in parts:
            part.cache.length += len(part.ids)
        return torch.from_numpy(logits[:, : self.vocab_size])

    def choose_teams(self, seconds: Callable[[Backend, int], float]) -> None:
        """Choose the fastest team for one text and for BATCH texts, up to MOST_THREADS.

        seconds: times a pass over this many texts.
        """
        teams: list[Team | None] = [None]
        teams += [
            team
            for size in TEAM_SIZES
            if size <= MOST_THREADS and (team := shared_team(self.library, size))
        ]
        measured: list[tuple[float, float]] = []
        for team in teams:
            self.team = self.batch_team = team
            measured.append((seconds(self, 1), seconds(self, BATCH)))
        alone, together = zip(*measured, strict=True)
        self.team = teams[alone.index(min(alone))]
        self.batch_team = teams[together.index(min(together))]


def _packed(model: GPT, vocabulary: int, dtype: torch.dtype) -> Tensor:
    """All weights as one tensor, in the order of the model's state_dict.

    A bias that the model lacks is zero. The vocabulary is padded. With ReLU, the MLP's second
    matrix is transposed, because only some of its columns are read.
    """
    every = replace(model.config, norm_bias=True, qkv_bias=True, linear_bias=True, head_bias=True)
    layout = without_weights(every).state_dict()
    relu, weights, parts = model.config.activation == "relu", model.state_dict(), []
    for name, like in layout.items():
        tensor = weights[name] if name in weights else torch.zeros(like.shape)
        if name.startswith(("token_embedding.", "head.")):
            rows = vocabulary - len(tensor)
            tensor = F.pad(tensor, (0, 0, 0, rows) if tensor.dim() == 2 else (0, rows))
        elif relu and name.endswith(".mlp.down.weight"):
            tensor = tensor.T
        parts.append(tensor.flatten().to(dtype))
    return torch.cat(parts)


@functools.lru_cache(maxsize=2)
def load_library(half: bool) -> ctypes.CDLL | None:
    """Load pass.c, compiled for weights in float16 or float32; None if that is not possible.

    The compiled file is kept in the user's cache folder, for the next process.
    """
    compiler = shutil.which(os.environ.get("CC") or "cc")
    if compiler is None:
        return None
    for native in (["-march=native"], []):  # not every compiler supports this option
        options = ["-O3", f"-DHALF={half:d}", *native, "-pthread", "-shared", "-fPIC"]
        try:
            library = _load(compiler, options)
        except (OSError, subprocess.SubprocessError):  # also without a folder for temporary files
            continue
        library.new_team.argtypes, library.new_team.restype = [ctypes.c_int], ctypes.c_void_p
        library.run_pass.argtypes = [ctypes.c_void_p, ctypes.POINTER(Pass)]
        library.run_pass.restype = None
        return library
    return None


def _load(compiler: str, options: list[str]) -> ctypes.CDLL:
    """Load the compiled file from the cache folder, or compile it."""
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout
    made_from = SOURCE.read_bytes(), options, compiler, version, torch.cpu.get_capabilities()
    name = f"pass-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]}.so"
    folder = _safe_cache_folder()
    if folder is None:
        # The file is not needed after the library is loaded. Windows does not allow its deletion.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
            return ctypes.CDLL(str(_compile(compiler, options, Path(temporary) / name)))
    with contextlib.suppress(OSError):  # not there, or damaged
        return ctypes.CDLL(str(folder / name))
    return ctypes.CDLL(str(_compile(compiler, options, folder / name)))


def _compile(compiler: str, options: list[str], path: Path) -> Path:
    with atomic.replacing(path) as partial:
        command = [compiler, *options, str(SOURCE), "-o", str(partial), "-lm"]
        _run(command)
    return path


def _run(command: list[str]) -> None:
    """Run a compiler. Raises CalledProcessError, or TimeoutExpired once its processes are ended."""
    nowhere = subprocess.DEVNULL
    group = None if os.name == "nt" else 0
    with subprocess.Popen(command, stdout=nowhere, stderr=nowhere, process_group=group) as process:
        try:
            status = process.wait(COMPILE_SECONDS)
        except BaseException:
            # A compiler's own processes, such as the linker, would go on and write the file.
            process.kill() if os.name == "nt" else os.killpg(process.pid, signal.SIGKILL)
            raise
    if status:
        raise subprocess.CalledProcessError(status, command)


def _safe_cache_folder() -> Path | None:
    """The cache folder; None if it cannot be used or another user could put files there."""
    try:
        folder = cache_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, MicroGPTError):  # MicroGPTError: the user has no home
        return None
    safe = os.name == "nt" or (status.st_uid == os.getuid() and not status.st_mode & 0o022)
    return folder if safe and os.access(folder, os.W_OK) else None


@functools.lru_cache(maxsize=8)
def shared_team(library: ctypes.CDLL, size: int) -> Team | None:
    """The team of this size, shared by the whole process; idle threads sleep. None on failure."""
    address = library.new_team(size)
    return Team(size, address) if address else None


def compiled_backend(
    model: GPT, seconds: Callable[[Backend, int], float]
) -> CompiledBackend | None:
    """The backend in C with its fastest teams, as timed by `seconds`; None if unavailable.

    The first call on a machine takes about a second, to compile it.
    """
    half = all(t.equal(t.half().float()) for t in model.state_dict().values())
    library = None if model.config.head_size % LANES else load_library(half)
    if library is None:
        return None
    backend = CompiledBackend(model, library, half)
    backend.choose_teams(seconds)
    return backend

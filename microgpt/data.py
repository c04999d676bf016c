"""The corpus: download, split and batches."""

import hashlib
import http.client
import os
import shutil
import urllib.request
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from microgpt import atomic
from microgpt.config import MODEL_LIMITS
from microgpt.errors import MicroGPTError
from microgpt.formats import FormatError, decode
from microgpt.tokenizer import REPLACEMENT

TINY_SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
TINY_SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
TRAIN_FRACTION = 0.9
# A text gets a warning if more than so many of its characters occur fewer times than this.
_MANY_RARE, _ENOUGH_TIMES = 100, 5


class DataError(MicroGPTError):
    """A text cannot be downloaded, read or used for training."""


class Splits(NamedTuple):
    """Token ids of the training and validation splits, each a 1-D int64 tensor."""

    train: Tensor
    val: Tensor


def cache_folder() -> Path:
    """The folder for downloads: $MICROGPT_CACHE, or else microgpt in the user's cache folder."""
    if folder := os.environ.get("MICROGPT_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "microgpt"


def tiny_shakespeare(
    url: str = TINY_SHAKESPEARE_URL, sha256: str = TINY_SHAKESPEARE_SHA256
) -> Path:
    """Return the path of Tiny Shakespeare; download it if needed, and check its SHA-256.

    Source: github.com/karpathy/char-rnn. Raises DataError.
    """
    path = cache_folder() / "tinyshakespeare.txt"
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    try:
        with atomic.replacing(path) as partial:
            with urllib.request.urlopen(url, timeout=30) as response, open(partial, "wb") as file:
                shutil.copyfileobj(response, file)
            digest = hashlib.sha256(partial.read_bytes()).hexdigest()
            if digest != sha256:
                raise DataError(f"{url} is not the expected text (SHA-256 {digest})")
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            f"Tiny Shakespeare could not be downloaded ({str(error).strip()}); "
            "pass a text of your own with --data FILE"
        ) from error
    return path


def read_text(path: Path) -> str:
    """Read a UTF-8 file without changing its line endings. Raises DataError."""
    try:
        return decode(str(path), path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except FormatError as error:
        raise DataError(f"{error}; save it as UTF-8") from error


def text_warnings(text: str) -> list[str]:
    """List what in a text is probably a mistake, each as a sentence without its full stop.

    A model can be trained on such a text, but it would learn the mistake.
    """
    warnings = []
    if "\0" in text:
        warnings.append(
            f"the text has {text.count(chr(0)):,} NUL characters, so it is probably UTF-16; "
            "save it as UTF-8"
        )
    if "\ufeff" in text:
        warnings.append(
            "the text has a byte order mark (U+FEFF), which becomes a character of the vocabulary; "
            "save it as UTF-8 without one"
        )
    if "\r" in text:
        warnings.append(
            "the text has Windows line ends (CR LF), which are two characters each; save it with "
            "Unix line ends (LF)"
            if "\r\n" in text
            else "the text has carriage returns (CR); save it with Unix line ends (LF)"
        )
    counts = Counter(text)
    rare = sum(times < _ENOUGH_TIMES for times in counts.values())
    if rare > _MANY_RARE and len(counts) <= MODEL_LIMITS["vocab_size"][1]:  # else it is an error
        warnings.append(
            f"the text has {len(counts):,} different characters, and {rare:,} of them occur fewer "
            f"than {_ENOUGH_TIMES} times, too few to learn them; --rare {_ENOUGH_TIMES} replaces "
            "these by one character"
        )
    return warnings


def fold_rare(text: str, count: int) -> str:
    """Replace each character that a text has fewer than `count` times by REPLACEMENT."""
    rare = [char for char, times in Counter(text).items() if times < count]
    return text.translate(dict.fromkeys(map(ord, rare), REPLACEMENT))


def count_that_fits(text: str, most: int) -> int:
    """The lowest count for which fold_rare leaves at most `most` >= 2 different characters."""
    times = sorted(Counter(text.replace(REPLACEMENT, "")).values(), reverse=True)
    return 0 if len(set(text)) <= most else times[most - 1] + 1


def split(ids: list[int], block_size: int) -> Splits:
    """Split a corpus into training (the first 90 %) and validation (the last 10 %).

    Raises DataError if a split is too short for one window and the character after it.
    """
    data = torch.tensor(ids, dtype=torch.int64)
    at = int(TRAIN_FRACTION * len(data))
    splits = Splits(data[:at], data[at:])
    if len(splits.val) <= block_size:
        raise DataError(
            f"the text has {len(data)} characters; a context window of {block_size} "
            f"needs at least {10 * block_size + 1}"
        )
    return splits


def random_batch(
    data: Tensor, batch_size: int, block_size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw windows at random positions: inputs and targets (the next characters), each (B, T)."""
    starts = torch.randint(len(data) - block_size, (batch_size, 1), generator=generator)
    if data.is_cuda:  # a copy from unpinned memory would wait for the GPU
        starts = starts.pin_memory().to(data.device, non_blocking=True)
    at = starts + torch.arange(block_size, device=data.device)  # (B, T)
    return data[at], data[at + 1]


def windows(data: Tensor, block_size: int) -> tuple[Tensor, Tensor]:
    """All non-overlapping windows in order: inputs and targets, each (N, T)."""
    count = (len(data) - 1) // block_size
    inputs = data[: count * block_size].view(count, block_size)
    targets = data[1 : count * block_size + 1].view(count, block_size)
    return inputs, targets

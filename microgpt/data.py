"""The corpus: download, checks, split and batches."""

import hashlib
import http.client
import os
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import IO, NamedTuple

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
# Seconds until each answer of the server, and until the end of the download; bytes at a time.
_ANSWER_S, _DOWNLOAD_S, _PART = 10.0, 30.0, 2**16
_TINY_SHAKESPEARE = "tinyshakespeare.txt"  # its file in the folder for downloads
TRAIN_FRACTION = 0.9
# A text gets a warning if more than _MANY_RARE of its different characters occur fewer than
# _ENOUGH_TIMES times.
_MANY_RARE, _ENOUGH_TIMES = 100, 5


class DataError(MicroGPTError):
    """A text cannot be downloaded, read or used for training."""


class Splits(NamedTuple):
    """Token ids of the training and validation splits, each a 1-D int64 tensor."""

    train: Tensor
    val: Tensor


def cache_folder() -> Path:
    """The folder for downloads: $MICROGPT_CACHE, or else microgpt in the user's cache folder.

    Raises MicroGPTError for a user without a home, as in some containers.
    """
    if folder := os.environ.get("MICROGPT_CACHE"):
        return Path(folder)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "microgpt"
    except RuntimeError as error:
        raise MicroGPTError(
            "there is no folder for downloads, because this user has no home; "
            "set MICROGPT_CACHE to a folder"
        ) from error


def tiny_shakespeare(
    url: str = TINY_SHAKESPEARE_URL, sha256: str = TINY_SHAKESPEARE_SHA256
) -> Path:
    """Return the path of Tiny Shakespeare; download it if needed, and check its SHA-256.

    Source: github.com/karpathy/char-rnn. Raises DataError.
    """
    path = cache_folder() / _TINY_SHAKESPEARE
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    try:
        with atomic.replacing(path) as partial:
            with urllib.request.urlopen(url, timeout=_ANSWER_S) as response:
                _save(response, partial)
            digest = hashlib.sha256(partial.read_bytes()).hexdigest()
            if digest != sha256:
                raise DataError(f"{url} is not the expected text (SHA-256 {digest})")
    except (OSError, http.client.HTTPException) as error:
        what = f"Tiny Shakespeare could not be downloaded ({str(error).strip()})"
        raise DataError(
            f"{what}; pass a text of your own with --data FILE",
            f"{what}; paste or upload a text of your own",
        ) from error
    return path


def _save(response: IO[bytes], path: Path) -> None:
    """Write a download into a file. Raises TimeoutError if it takes too long."""
    end = time.monotonic() + _DOWNLOAD_S
    with open(path, "wb") as file:
        while part := response.read(_PART):
            if time.monotonic() > end:
                raise TimeoutError(f"it took more than {_DOWNLOAD_S:g} s")
            file.write(part)


def read_text(path: str | Path) -> str:
    """Read a UTF-8 file without changing its line endings. Raises DataError."""
    try:
        return decode(str(path), Path(path).read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except FormatError as error:
        raise DataError(f"{error}; save it as UTF-8") from error


def find_corpus(sha256: str) -> str | None:
    """The text with this SHA-256 if it is on this machine; None otherwise.

    It is the file that MICROGPT_DATA names, or Tiny Shakespeare if it was downloaded.
    """
    named = os.environ.get("MICROGPT_DATA")
    try:
        text = read_text(named or cache_folder() / _TINY_SHAKESPEARE)
    except MicroGPTError:
        return None
    return text if hashlib.sha256(text.encode()).hexdigest() == sha256 else None


def text_warnings(text: str) -> list[str]:
    """List the probable mistakes in a text, each as a sentence without its full stop.

    A model can be trained on such a text, but it would learn the mistakes.
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
            "the text has Windows line endings (CR LF), which are two characters each; save it "
            "with Unix line endings (LF)"
            if "\r\n" in text
            else "the text has carriage returns (CR); save it with Unix line endings (LF)"
        )
    counts = Counter(text)
    rare = sum(times < _ENOUGH_TIMES for times in counts.values())
    if rare > _MANY_RARE and len(counts) <= MODEL_LIMITS["vocab_size"][1]:  # else it is an error
        warnings.append(
            f"the text has {len(counts):,} different characters, and {rare:,} of them occur fewer "
            f"than {_ENOUGH_TIMES} times, too rarely to be learned; --rare {_ENOUGH_TIMES} "
            "replaces these by one character"
        )
    return warnings


def fold_rare(text: str, count: int) -> str:
    """Replace each character that occurs fewer than `count` times in a text by REPLACEMENT."""
    rare = [char for char, times in Counter(text).items() if times < count]
    return text.translate(dict.fromkeys(map(ord, rare), REPLACEMENT))


def count_that_fits(text: str, most: int) -> int:
    """The lowest count for which fold_rare leaves at most `most` >= 2 different characters.

    0 if the text has no more than that.
    """
    times = sorted(Counter(text.replace(REPLACEMENT, "")).values(), reverse=True)
    return 0 if len(set(text)) <= most else times[most - 1] + 1


def known_characters(text: str, rare: int) -> str:
    """The result of fold_rare, if it has no more different characters than a model may know.

    Raises DataError.
    """
    folded, most = fold_rare(text, rare), int(MODEL_LIMITS["vocab_size"][1])
    if count := count_that_fits(folded, most):
        what = (
            f"the text has {len(set(folded)):,} different characters, and a model knows at most "
            f"{most:,}"
        )
        those = f"those that occur fewer than {count} times"
        raise DataError(
            f"{what}; pass --rare {count} to replace {those}", f"{what}; replace {those}"
        )
    return folded


def validation_part(text: str) -> str:
    """The characters of a corpus that are in its validation split."""
    return text[int(TRAIN_FRACTION * len(text)) :]


def split(ids: list[int], block_size: int) -> Splits:
    """Split a corpus into training (the first 90 %) and validation (the last 10 %).

    Raises DataError if a split is too short for one window and the character after it.
    """
    data = torch.tensor(ids, dtype=torch.int64)
    at = int(TRAIN_FRACTION * len(data))
    splits = Splits(data[:at], data[at:])
    if len(splits.val) <= block_size:
        raise DataError(
            f"a context window of {block_size} needs a text of at least {10 * block_size + 1} "
            f"characters; this one has {len(data)}"
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

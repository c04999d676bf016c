"""All caches of the app; no other module in ui/ calls st.cache_*.

All visitors share the caches, and their sizes are limited. The cache key of a checkpoint is its
fingerprint, so that two checkpoints never share a result.
"""

import os
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar, overload

import numpy as np
import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx
from torch import Tensor

from microgpt.analysis import ablation, attention, context_length, heads, predictions
from microgpt.analysis.attention import AttentionMaps, HeadStages, PackedMaps
from microgpt.analysis.head_scores import HeadScores
from microgpt.analysis.predictions import Predictions
from microgpt.checkpoint import CONFIG, Checkpoint
from microgpt.checkpoint.runs import Run
from microgpt.checkpoint.runs import bundled_runs as read_bundled_runs
from microgpt.engine import Engine, Scheduler, TorchBackend
from microgpt.hub import (
    Fetch,
    RepoRef,
    Visitor,
    VisitorCheckpoints,
    load_bundled,
    load_folder,
    operator_choice,
)
from microgpt.sampling import SamplingConfig
from microgpt.ui.charts.attention import attention_overview
from microgpt.ui.memory import release_large_blocks
from microgpt.ui.progress import progress_bar
from microgpt.ui.stream import stream

T = TypeVar("T")


release_large_blocks()  # before the first array is cached


# Decorates a function whose results all visitors share; simultaneous calls compute a result once.
_shared = partial(
    st.cache_resource,
    show_spinner=False,
    hash_funcs={Checkpoint: lambda checkpoint: checkpoint.fingerprint},
)


# The logits of a text take memory for each character of the vocabulary. Above this size of the
# vocabulary, texts are shorter, so that they take no more.
_FULL_LENGTH_VOCABULARY = 1024


def within_memory(checkpoint: Checkpoint, length: int) -> int:
    """Lower the length of a generated text for a large vocabulary."""
    return min(length, max(1, length * _FULL_LENGTH_VOCABULARY // checkpoint.config.vocab_size))


@overload
def session_result(
    key: str, inputs: object, compute: Callable[[], T], recompute: bool = False
) -> T: ...


@overload
def session_result(
    key: str, inputs: object, compute: Callable[[], T] | None, recompute: bool = False
) -> T | None: ...


def session_result(
    key: str, inputs: object, compute: Callable[[], T] | None, recompute: bool = False
) -> T | None:
    """Return the last result in this visitor's session under a key, or compute it.

    compute is called if the inputs differ from those of the last result, or if `recompute` is true.
    If compute is None, return the last result for the same inputs, or None.
    """
    last_inputs, result = st.session_state.get(key, (None, None))
    if recompute or last_inputs != inputs:
        if compute is None:
            return None
        result = compute()
        st.session_state[key] = (inputs, result)
    return result


@_shared(max_entries=1, show_spinner="Loading the checkpoint …")
def bundled() -> Checkpoint:
    """The checkpoint in assets/. Raises CheckpointError."""
    return load_bundled()


def _folder_key(path: Path) -> tuple[bytes, int]:
    """A folder and the time at which its config was written, 0 if it has none."""
    try:
        return os.fsencode(path), (path / CONFIG).stat().st_mtime_ns
    except OSError:
        return os.fsencode(path), 0


@st.cache_resource(
    max_entries=1, show_spinner="Loading the checkpoint …", hash_funcs={type(Path()): _folder_key}
)
def folder(path: Path) -> Checkpoint:
    """The operator's checkpoint folder, loaded again if it changes. Raises CheckpointError."""
    return load_folder(path)


@_shared(max_entries=1)
def operator_fetch(ref: RepoRef) -> Fetch:
    """The download of the operator's repo, one for all visitors."""
    return Fetch(ref)


@_shared(max_entries=1)
def visitor_checkpoints() -> VisitorCheckpoints:
    """The checkpoints that all visitors named."""
    return VisitorCheckpoints(on_unload=engine.clear)


@st.cache_resource(show_spinner=False, scope="session", on_release=Visitor.leave)
def _visitor() -> Visitor:
    return Visitor(visitor_checkpoints())


def visitor() -> Visitor:
    """The repos that this session shows; they are released when the tab is closed."""
    found, context = _visitor(), get_script_run_ctx()
    if (
        context
        and runtime.exists()
        and not runtime.get_instance().is_active_session(context.session_id)
    ):
        # The tab was closed before _visitor was called.
        found.leave()
        st.stop()
    return found


@_shared(max_entries=1)
def bundled_runs() -> list[Run]:
    """The training runs in assets/, sorted by name."""
    return read_bundled_runs()


def operator_setting() -> Path | RepoRef | None:
    """The checkpoint that the operator configured: a folder, a repo, or none. Raises HubError."""
    st.secrets.load_if_toml_exists()  # copies the secrets into the environment
    return operator_choice(os.environ)


@_shared(max_entries=4)
def engine(checkpoint: Checkpoint) -> Engine:
    """The decoding engine of a checkpoint, one for all visitors."""
    return Engine(checkpoint.model)


@_shared(max_entries=12)
def _packed_maps(checkpoint: Checkpoint, text: str) -> PackedMaps:
    ids = checkpoint.tokenizer.encode(text)
    return PackedMaps.of(attention.attention_maps(checkpoint.model, ids))


def attention_maps(checkpoint: Checkpoint, text: str) -> AttentionMaps:
    """The attention of every head over a text of 1 to block_size known characters."""
    return _packed_maps(checkpoint, text).unpacked()


# A result takes up to 64 MiB, for the longest window that a checkpoint may have.
@_shared(max_entries=2)
def head_stages(checkpoint: Checkpoint, text: str, layer: int, head: int) -> HeadStages:
    """The stages of one head over a text of 1 to block_size known characters."""
    ids = checkpoint.tokenizer.encode(text)
    return attention.head_stages(checkpoint.model, ids, layer, head)


@_shared(max_entries=12)
def overview(checkpoint: Checkpoint, text: str) -> bytes:
    """All maps of a text as one PNG, with a row for each layer and a column for each head.

    The last column holds the mean of each layer. Its last cell, below the layers, holds the mean of
    all heads.
    """
    maps = attention.with_means(attention_maps(checkpoint, text).weights)
    return attention_overview(maps.numpy())


@_shared(max_entries=12)
def text_scores(checkpoint: Checkpoint, text: str) -> HeadScores:
    """The head scores over a text of 2 to block_size known characters."""
    weights = attention_maps(checkpoint, text).weights
    return heads.text_scores(weights, checkpoint.tokenizer.encode(text), checkpoint.tokenizer)


@_shared(max_entries=32, show_spinner="The model is writing …")
def generated(
    checkpoint: Checkpoint, prompt: str, length: int, config: SamplingConfig
) -> Predictions:
    """The text that the checkpoint writes after a prompt of known characters."""
    batches = stream(engine(checkpoint), checkpoint.tokenizer, prompt, length, config)
    return predictions.of_drawn(chain.from_iterable(batches))


# Only the first visitor waits for the text that the tab opens with.
@_shared(max_entries=32)
def surprisal_by_context(
    checkpoint: Checkpoint, text: str, targets: int, lengths: list[int]
) -> np.ndarray:
    """Surprisal, nats, of the last characters of a text by context length: (lengths, targets).

    Shows its progress.
    """
    ids = checkpoint.tokenizer.encode(text)
    with progress_bar("Reading …") as show:
        surprisal = context_length.surprisal_by_context(
            checkpoint.model, ids, targets, lengths, show
        )
    return surprisal.numpy()


@_shared(max_entries=64)
def next_logits(checkpoint: Checkpoint, prompt: str) -> Tensor:
    """Logits (V,) of the first character after a prompt of known characters."""
    batches = stream(engine(checkpoint), checkpoint.tokenizer, prompt, 1, SamplingConfig())
    [(_, logits)] = chain.from_iterable(batches)
    return logits.clone()


@_shared(max_entries=12)
def logits_without(checkpoint: Checkpoint, text: str, heads: frozenset[tuple[int, int]]) -> Tensor:
    """Logits (T, V) over a text with some heads ablated, (layer, head) from 0."""
    return ablation.ablated_logits(checkpoint.model, checkpoint.tokenizer.encode(text), heads)


@_shared(max_entries=16, show_spinner="The model is writing …")
def generated_without(
    checkpoint: Checkpoint,
    prompt: str,
    length: int,
    config: SamplingConfig,
    heads: frozenset[tuple[int, int]],
) -> Predictions:
    """The text that the checkpoint writes with some heads ablated, (layer, head) from 0."""
    backend = TorchBackend(checkpoint.model, ablation.head_mask(checkpoint.config, heads))
    scheduler = Scheduler(backend, checkpoint.config)
    batches = stream(scheduler, checkpoint.tokenizer, prompt, length, config)
    return predictions.of_drawn(chain.from_iterable(batches))

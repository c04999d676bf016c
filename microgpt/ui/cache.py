"""Everything the app keeps between reruns, each bounded, shared by all visitors.

What is kept for a text is filed under the checkpoint's fingerprint, so that a visitor's own
checkpoint can never answer for another one.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import streamlit as st
import torch
from torch import Tensor

from microgpt.analysis.attention import AttentionMaps, HeadStages
from microgpt.analysis.attention import attention_maps as compute_attention_maps
from microgpt.analysis.attention import head_stages as compute_head_stages
from microgpt.analysis.head_scores import HeadScores
from microgpt.analysis.heads import text_scores as compute_text_scores
from microgpt.analysis.predictions import Predictions
from microgpt.checkpoint import CONFIG, Checkpoint
from microgpt.checkpoint.runs import Run
from microgpt.checkpoint.runs import kept_runs as read_kept_runs
from microgpt.engine import Decoder, Engine
from microgpt.generate import GeneratedCharacter
from microgpt.hub import (
    Fetch,
    RepoRef,
    cached,
    load_bundled,
    load_folder,
    operator_choice,
)
from microgpt.sampling import SamplingConfig
from microgpt.ui.charts.attention import attention_overview
from microgpt.ui.memory import give_back_large_blocks
from microgpt.ui.stream import stream

give_back_large_blocks()  # before anything is kept


@st.cache_resource(max_entries=1, show_spinner="Loading the checkpoint …")
def bundled() -> Checkpoint:
    """The checkpoint in assets/. Raises CheckpointError."""
    return load_bundled()


@st.cache_resource(max_entries=1, show_spinner="Loading the checkpoint …")
def _folder(path: Path, written_ns: int) -> Checkpoint:
    return load_folder(path)


def folder(path: Path) -> Checkpoint:
    """The operator's own checkpoint folder, read again when it was written anew.

    Raises CheckpointError.
    """
    try:
        written_ns = (path / CONFIG).stat().st_mtime_ns
    except OSError:
        written_ns = 0
    return _folder(path, written_ns)


@st.cache_resource(max_entries=1, show_spinner=False)
def operator_fetch(ref: RepoRef) -> Fetch:
    """The one download of the operator's repo that every visitor waits for or uses."""
    return Fetch(ref)


@st.cache_resource(max_entries=1, show_spinner=False)
def local_copy(ref: RepoRef) -> Checkpoint | None:
    """The newest copy of the operator's repo that an earlier download left."""
    return cached(ref)


@st.cache_resource(max_entries=1, show_spinner=False)
def kept_runs() -> list[Run]:
    """The runs in assets/, by name."""
    return read_kept_runs()


@st.cache_resource(max_entries=4, show_spinner=False)
def _engine(fingerprint: str, _checkpoint: Checkpoint) -> Engine:
    return Engine(_checkpoint.model)


def engine(checkpoint: Checkpoint) -> Engine:
    """What decodes with a checkpoint's weights, fast."""
    return _engine(checkpoint.fingerprint, checkpoint)


def operator_setting() -> Path | RepoRef | None:
    """What the operator asked for: a folder, a repo, or nothing. Raises HubError."""
    st.secrets.load_if_toml_exists()  # which copies the secrets into the environment
    return operator_choice(os.environ)


@st.cache_resource(max_entries=12, show_spinner=False)
def _attention_maps(fingerprint: str, text: str, _checkpoint: Checkpoint) -> AttentionMaps:
    return compute_attention_maps(_checkpoint.model, _checkpoint.tokenizer.encode(text))


def attention_maps(checkpoint: Checkpoint, text: str) -> AttentionMaps:
    """The attention of every head over a text of 1 to block_size known characters."""
    return _attention_maps(checkpoint.fingerprint, text, checkpoint)


# Up to 64 MiB each, for a window as long as is allowed.
@st.cache_resource(max_entries=2, show_spinner=False)
def _head_stages(
    fingerprint: str, text: str, layer: int, head: int, _checkpoint: Checkpoint
) -> HeadStages:
    return compute_head_stages(_checkpoint.model, _checkpoint.tokenizer.encode(text), layer, head)


def head_stages(checkpoint: Checkpoint, text: str, layer: int, head: int) -> HeadStages:
    """What one head computes over a text of 1 to block_size known characters, step by step."""
    return _head_stages(checkpoint.fingerprint, text, layer, head, checkpoint)


@st.cache_resource(max_entries=12, show_spinner=False)
def _overview(fingerprint: str, text: str, _checkpoint: Checkpoint) -> bytes:
    weights = attention_maps(_checkpoint, text).weights
    means = weights.mean(dim=1, keepdim=True)  # (L, 1, T, T)
    layers = torch.cat([weights, means], dim=1)  # (L, H + 1, T, T)
    mean = torch.zeros_like(layers[:1])
    mean[0, -1] = means.mean(dim=0)
    return attention_overview(torch.cat([layers, mean]).numpy())


def overview(checkpoint: Checkpoint, text: str) -> bytes:
    """All maps as one PNG: a row a layer, a column a head, each layer's mean at the right.

    The last row is empty but for the mean of all heads, at its right.
    """
    return _overview(checkpoint.fingerprint, text, checkpoint)


@st.cache_resource(max_entries=12, show_spinner=False)
def _text_scores(fingerprint: str, text: str, _checkpoint: Checkpoint) -> HeadScores:
    weights = attention_maps(_checkpoint, text).weights
    return compute_text_scores(weights, _checkpoint.tokenizer.encode(text), _checkpoint.tokenizer)


def text_scores(checkpoint: Checkpoint, text: str) -> HeadScores:
    """What the heads do over a text of 2 to block_size known characters."""
    return _text_scores(checkpoint.fingerprint, text, checkpoint)


@st.cache_resource(max_entries=32, show_spinner="The model is writing …")
def _finished(
    fingerprint: str, prompt: str, length: int, config: SamplingConfig, _checkpoint: Checkpoint
) -> Predictions:
    decoder = engine(_checkpoint).decoder()
    return _trace(stream(decoder, _checkpoint.tokenizer, prompt, length, config))


def _trace(written: Iterator[GeneratedCharacter]) -> Predictions:
    characters = list(written)
    tokens = torch.tensor([character.token for character in characters])
    return Predictions(tokens, torch.stack([character.logits for character in characters]))


def finished(
    checkpoint: Checkpoint, prompt: str, length: int, config: SamplingConfig
) -> Predictions:
    """What the checkpoint writes after a prompt of known characters, all of it."""
    return _finished(checkpoint.fingerprint, prompt, length, config, checkpoint)


@st.cache_resource(max_entries=64, show_spinner=False)
def _next_logits(fingerprint: str, prompt: str, _checkpoint: Checkpoint) -> Tensor:
    decoder = engine(_checkpoint).decoder()
    first = next(stream(decoder, _checkpoint.tokenizer, prompt, 1, SamplingConfig()))
    return first.logits.clone()


def next_logits(checkpoint: Checkpoint, prompt: str) -> Tensor:
    """Logits (V,) of the character after a prompt of known characters."""
    return _next_logits(checkpoint.fingerprint, prompt, checkpoint)


def _head_mask(checkpoint: Checkpoint, off: frozenset[tuple[int, int]]) -> Tensor:
    mask = torch.ones(checkpoint.config.n_layer, checkpoint.config.n_head)
    for layer, head in off:
        mask[layer, head] = 0.0
    return mask


@st.cache_resource(max_entries=12, show_spinner=False)
def _logits_without(
    fingerprint: str, text: str, off: frozenset[tuple[int, int]], _checkpoint: Checkpoint
) -> Tensor:
    idx = torch.tensor([_checkpoint.tokenizer.encode(text)])
    with torch.inference_mode():
        return _checkpoint.model(idx, head_mask=_head_mask(_checkpoint, off))[0]


def logits_without(checkpoint: Checkpoint, text: str, off: frozenset[tuple[int, int]]) -> Tensor:
    """Logits (T, V) over a text with some heads, by layer and head from 0, switched off."""
    return _logits_without(checkpoint.fingerprint, text, off, checkpoint)


@st.cache_resource(max_entries=16, show_spinner="The model is writing …")
def _finished_without(
    fingerprint: str,
    prompt: str,
    length: int,
    config: SamplingConfig,
    off: frozenset[tuple[int, int]],
    _checkpoint: Checkpoint,
) -> Predictions:
    decoder = Decoder(_checkpoint.model, head_mask=_head_mask(_checkpoint, off))
    return _trace(stream(decoder, _checkpoint.tokenizer, prompt, length, config))


def finished_without(
    checkpoint: Checkpoint,
    prompt: str,
    length: int,
    config: SamplingConfig,
    off: frozenset[tuple[int, int]],
) -> Predictions:
    """What the checkpoint writes with some heads, by layer and head from 0, switched off."""
    return _finished_without(checkpoint.fingerprint, prompt, length, config, off, checkpoint)

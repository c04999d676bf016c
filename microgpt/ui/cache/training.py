"""The training runs of this server's visitors, and what their pages compute once."""

import os

import streamlit as st

from microgpt import checkpoint
from microgpt.analysis.corpus import Corpus, describe, with_unix_line_ends
from microgpt.checkpoint import Checkpoint, Origin
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import TINY_SHAKESPEARE_SHA256, cache_folder, find_corpus, read_text
from microgpt.data import tiny_shakespeare as download
from microgpt.hub.visitors import FILE_BYTES
from microgpt.model import without_weights
from microgpt.training.job_status import JobError
from microgpt.training.jobs import Jobs
from microgpt.training.operator import Settings, operator_setting
from microgpt.training.sizes import estimate_seconds
from microgpt.ui.cache.results import session_result, shared

# Limit for an opened checkpoint, unpacked.
MAX_OPENED_BYTES = FILE_BYTES


def training_settings() -> Settings:
    """What the operator allows to train. Raises JobError for a malformed setting."""
    st.secrets.load_if_toml_exists()  # copies the secrets into the environment
    return operator_setting(os.environ)


@shared(max_entries=1, on_release=Jobs.close)
def _jobs_of(settings: Settings) -> Jobs:
    return Jobs(cache_folder() / "training", settings.at_once, settings.minutes)


def jobs() -> Jobs:
    """The runs of this server. Raises JobError if it trains none."""
    settings = training_settings()
    if not settings.at_once:
        raise JobError("this app does not train models")
    return _jobs_of(settings)


def run_title(run: str) -> str:
    """What the text of a run is called. Raises JobError if there is no such run."""
    return jobs().status(run).source.data


def trained_checkpoint(run: str) -> Checkpoint:
    """Load the checkpoint of a run; nothing keeps it. Raises JobError, CheckpointError."""
    status = jobs().status(run)
    if status.folder is None:
        raise JobError("this run has no checkpoint yet; open it when it is done")
    return checkpoint.load(status.folder, Origin("folder", status.source.data))


def described(text: str) -> Corpus:
    """What a model sees of this session's text. Raises DataError."""
    return session_result("corpus", text, lambda: describe(text))


@shared(max_entries=64)
def estimated_seconds(model: GPTConfig, train: TrainConfig) -> float:
    """About how long a run takes here while nothing else does, in seconds; measured once each."""
    return estimate_seconds(model, train)


def parameter_count(model: GPTConfig) -> int:
    """The number of parameters of a model with this shape."""
    return without_weights(model).parameter_count()


@shared(max_entries=1, show_spinner="Downloading Tiny Shakespeare …")
def tiny_shakespeare() -> str:
    """Tiny Shakespeare, from this machine or else from its public address. Raises DataError."""
    found = find_corpus(TINY_SHAKESPEARE_SHA256)
    return with_unix_line_ends(read_text(download()) if found is None else found)

"""Which checkpoint a file that is taken home is of, and how it is found again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.hub import Loaded, RepoRef


def told_origin(loaded: Loaded) -> dict[str, str]:
    """What a file tells of its checkpoint; read_origin reads it."""
    origin = loaded.origin
    return {
        # Where a folder lies on the server is no business of its visitors.
        "checkpoint": origin.name if origin.kind == "hub" else Path(origin.name).name,
        "commit": origin.commit or "",
        "weights_sha256": loaded.checkpoint.weights_sha256,
    }


def read_origin(values: Mapping[str, Any]) -> tuple[str, str]:
    """The weights that a file is of, and the repo that has them or nothing.

    Raises KeyError, or ValueError where a repo cannot be called so.
    """
    weights, name, commit = (str(values[key]) for key in ("weights_sha256", "checkpoint", "commit"))
    return weights, str(RepoRef(name, commit)) if commit else ""


def asked_repo(checkpoint: Checkpoint, weights: str, repo: str, missing: str) -> dict[str, str]:
    """What to put into the checkpoint picker for a file's sake; in a toast, that it is missing."""
    if weights == checkpoint.weights_sha256:
        return {}
    if not repo:
        st.toast(missing)
        return {}
    return {"repo": repo}

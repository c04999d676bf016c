"""The page's choices: held while tabs are turned, and kept in a file with its texts."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.config import ConfigError
from microgpt.ui.attention.choice import MEAN, keep_place
from microgpt.ui.kept_file import KeptFile, told_origin
from microgpt.ui.widgets import MOST_LINK_BYTES, make_choice

_MOST = 4096  # of what is counted from 1

# The page's choices by their keys. A widget leaves out of its value what it does not offer, so
# that only its type matters here.
_TEXTS = ("text", "other_text")
_NAMES = ("attention_view", "scale", "scores_from", "combine", "compared_checkpoint")
_STRINGS = (*_TEXTS, *_NAMES, "compared_repo")
_COUNTS = ("query", "query_left", "query_right", "up_to")
_PLACES = ("layer", "head")
_OFF = re.compile(r"off_[1-9][0-9]{0,3}")


def hold_choices() -> None:
    """Keep what was chosen in a tab through a visit to others; call it before any tab is drawn.

    Streamlit does it too, but not where the run of another tab was cut short by the next click:
    the browser then opens the first tab's controls at their defaults.
    """
    tab = st.session_state.get("attention_view")
    if st.session_state.get("attention_view drawn") != tab:
        for key, value in _chosen().items():
            if key != "attention_view":
                st.session_state[key] = value
    st.session_state["attention_view drawn"] = tab


def _chosen() -> dict[str, object]:
    """The page's choices by key, as far as they were ever made."""
    off = [key for key in st.session_state if _OFF.fullmatch(str(key))]
    keys = (*_STRINGS, *_COUNTS, *_PLACES, "combined_heads", *off)
    return {key: st.session_state[key] for key in keys if key in st.session_state}


def view_file(checkpoint: Checkpoint) -> None:
    """Offer the page's choices as a file, and open one."""
    texts = [st.session_state.get(key, "") for key in _TEXTS]
    too_long = any(len(quote(text)) > MOST_LINK_BYTES for text in texts)
    with st.expander("Keep this view, or open one that was kept", expanded=too_long):
        st.caption(
            "The page's address opens this tab on another machine as it stands here. view.json "
            "holds the choices of all tabs, and texts that are too long for an address: drop it "
            "in here."
        )
        st.download_button(
            _VIEW.name,
            _written(checkpoint),
            _VIEW.name,
            "application/json",
            icon=":material/download:",
            on_click="ignore",
        )
        _VIEW.uploader(checkpoint, _use)


def _written(checkpoint: Checkpoint) -> str:
    values = {"format": _VIEW.format, **told_origin(checkpoint), "choices": _chosen()}
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def _use(choices: dict[str, Any]) -> None:
    for key in st.session_state:
        if _OFF.fullmatch(str(key)):
            st.session_state[key] = []
    for key, value in choices.items():
        make_choice(key, value)
    if choices.keys() & set(_PLACES):
        keep_place()


def _read(values: Mapping[str, Any]) -> dict[str, Any]:
    choices = {key: value for key, value in values["choices"].items() if _fits(key, value)}
    if len(choices) < len(values["choices"]):
        raise ConfigError("it holds a choice that the page does not have")
    return choices


def _fits(key: str, value: object) -> bool:
    """Whether a value is of the kind that the widget under a key has."""
    if key in _STRINGS:
        return _is_text(value)
    if key in _COUNTS:
        return _is_count(value)
    if key in _PLACES:
        return value == MEAN or _is_count(value)
    is_one = _is_text if key == "combined_heads" else _is_count if _OFF.fullmatch(key) else None
    return is_one is not None and isinstance(value, list) and all(map(is_one, value))


def _is_text(value: object) -> bool:
    # Half of a surrogate pair is no text.
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value <= _MOST


_VIEW = KeptFile(
    noun="view",
    whose="an Attention page's",
    format="microGPT attention view",
    differs="maps",
    largest=1,
    read=_read,
)

"""The page's choices: held while tabs are turned, and kept in a file with its texts."""

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.config import ConfigError
from microgpt.formats import Document
from microgpt.ui.attention.choice import HEAD, LAYER, keep_place
from microgpt.ui.attention.controls import TAB, VIEW
from microgpt.ui.controls import Control, fits, saved_controls, saved_values
from microgpt.ui.download import download
from microgpt.ui.kept_file import KeptFile
from microgpt.ui.text_input import fits_link


def hold_choices() -> None:
    """Keep what was chosen in a tab through a visit to others; call it before any tab is drawn.

    Streamlit does it too, but not where the run of another tab was cut short by the next click:
    the browser then opens the first tab's controls at their defaults.
    """
    drawn_key = f"{TAB.key} drawn"
    if st.session_state.get(drawn_key) != TAB.value:
        for key, value in saved_values(VIEW).items():
            if key != TAB.key:
                st.session_state[key] = value
    st.session_state[drawn_key] = TAB.value


def view_file(checkpoint: Checkpoint) -> None:
    """Offer the page's choices as a file, and open one."""
    texts = [each.value or "" for each in saved_controls(VIEW) if each.url == "short"]
    too_long = not all(map(fits_link, texts))
    with st.expander("Keep this view, or open one that was kept", expanded=too_long):
        st.caption(
            "The page's address opens this tab on another machine as it stands here. view.json "
            "holds the choices of all tabs, and texts that are too long for an address: drop it "
            "in here."
        )
        # Read now: where a file is made there is no session.
        choices = saved_values(VIEW)
        download(VIEW_FILE.name, lambda: view_json(checkpoint, choices), VIEW_FILE.name)
        VIEW_FILE.uploader(checkpoint, _use)


def view_json(checkpoint: Checkpoint, choices: Mapping[str, object]) -> str:
    """A view.json that holds these choices, by the keys of the page's controls."""
    values = VIEW_FILE.written(checkpoint, {"choices": choices})
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def _use(choices: dict[str, Any]) -> None:
    # Of a control for each layer, such as the switches, a file holds those that were drawn.
    numbered = [each for each in saved_controls(VIEW) if each.numbered]
    for key in (key for each in numbered for key in each.keys):
        st.session_state[key] = []
    for key, value in choices.items():
        Control(key).choose(value)
    if choices.keys() & {LAYER.key, HEAD.key}:
        keep_place()


def _read(document: Document) -> dict[str, Any]:
    asked, controls = document.values["choices"], saved_controls(VIEW)
    keys = [key for key in asked if any(control.has(key) for control in controls)]
    choices = document.known(asked, keys, "choice")
    if not all(fits(VIEW, key, value) for key, value in choices.items()):
        raise ConfigError("it holds a choice that the page does not offer")
    return choices


VIEW_FILE = KeptFile(
    noun="view",
    whose="an Attention page's",
    kind="microGPT attention view",
    fields=("choices",),
    differs="maps",
    largest=1,
    read=_read,
)

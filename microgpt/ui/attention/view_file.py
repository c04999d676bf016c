"""The values of the page's controls: kept when the tab changes, and saved in view.json."""

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
    """Keep the choices of a tab while others are open; call it before any tab is drawn.

    Streamlit loses them if the next click ends the run of another tab early: the browser then
    resets the first tab's controls to their defaults.
    """
    drawn_key = f"{TAB.key} drawn"
    if st.session_state.get(drawn_key) != TAB.value:
        for key, value in saved_values(VIEW).items():
            if key != TAB.key:
                st.session_state[key] = value
    st.session_state[drawn_key] = TAB.value


def view_file(checkpoint: Checkpoint) -> None:
    """Show the download and the upload of a view.json."""
    texts = [each.value or "" for each in saved_controls(VIEW) if each.url == "short"]
    too_long = not all(map(fits_link, texts))
    with st.expander("Save this view or open a saved one", expanded=too_long):
        st.caption(
            "view.json holds the texts and the settings of all tabs. Drop it here to see them "
            "again. The address of the page holds only this tab, without long texts."
        )
        # Read now, because a download is made without a session.
        choices = saved_values(VIEW)
        download(VIEW_FILE.name, lambda of: view_json(of, choices), VIEW_FILE.name, of=checkpoint)
        VIEW_FILE.uploader(checkpoint, _use)


def view_json(checkpoint: Checkpoint, choices: Mapping[str, object]) -> str:
    """The content of a view.json with these values of the controls, by key."""
    values = VIEW_FILE.written(checkpoint, {"choices": choices})
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def _use(choices: dict[str, Any]) -> None:
    # A file lacks the numbered controls that were never drawn, such as a layer's switches.
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

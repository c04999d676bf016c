"""The file view.json: the values of the Attention page's controls."""

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.config import ConfigError
from microgpt.formats import Document
from microgpt.ui.attention.controls import TAB, VIEW
from microgpt.ui.attention.steps import LIFE
from microgpt.ui.components.copy_link.copy_link import copy_link
from microgpt.ui.controls import Control, is_valid, saved_controls, saved_values
from microgpt.ui.download import download
from microgpt.ui.glossary import caption
from microgpt.ui.head_choice import HEAD, LAYER, keep_head
from microgpt.ui.saved_file import SavedFile
from microgpt.ui.text_input import fits_link


def view_file(checkpoint: Checkpoint) -> None:
    """Show a button that copies the link, and a download and an upload of view.json."""
    texts = [each.value or "" for each in saved_controls(VIEW) if each.url == "short"]
    too_long = not all(map(fits_link, texts))
    if TAB.value != LIFE:  # its component has the button where it is in view
        copy_link("copy_link")
    with st.expander("Save this view or open a saved one", expanded=too_long):
        caption(
            "view.json holds the texts and the settings of all tabs. Drop it here to see them "
            "again. A link to this page holds only the open tab, without long texts."
        )
        # Read here, because the content of a download is made outside the session.
        choices = saved_values(VIEW)
        download(VIEW_FILE.name, lambda of: view_json(of, choices), VIEW_FILE.name, of=checkpoint)
        VIEW_FILE.uploader(checkpoint, _use)


def view_json(checkpoint: Checkpoint, choices: Mapping[str, object]) -> str:
    """The content of a view.json with these values of the page's controls, by key."""
    values = VIEW_FILE.content(checkpoint, {"choices": choices})
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def _use(choices: dict[str, Any]) -> None:
    # A file lacks the numbered controls that were never drawn, such as the heads of a layer.
    numbered = [each for each in saved_controls(VIEW) if each.numbered]
    for key in (key for each in numbered for key in each.keys):
        Control(key).choose([])
    for key, value in choices.items():
        Control(key).set(value)
    if choices.keys() & {LAYER.key, HEAD.key}:
        keep_head()


def _read(document: Document) -> dict[str, Any]:
    values, controls = document.values["choices"], saved_controls(VIEW)
    keys = [key for key in values if any(control.owns(key) for control in controls)]
    choices = document.known(values, keys, "choice")
    if not all(is_valid(VIEW, key, value) for key, value in choices.items()):
        raise ConfigError("it holds a choice that the page does not offer")
    return choices


VIEW_FILE = SavedFile(
    noun="view",
    page="Attention",
    kind="microGPT attention view",
    fields=("choices",),
    difference="the maps are different",
    max_mib=1,
    read=_read,
)

"""Downloads of a text: plain, as a table, and as a record that the page can open again."""

import json
from dataclasses import asdict
from functools import partial
from typing import Any

import streamlit as st

from microgpt.analysis.prediction_files import to_csv, to_json
from microgpt.checkpoint import Checkpoint
from microgpt.config import ConfigError
from microgpt.engine import PRECISION
from microgpt.formats import Document
from microgpt.sampling import SamplingConfig
from microgpt.ui.controls import MAX_TEXT, is_text
from microgpt.ui.download import download
from microgpt.ui.generate.controls import MAX_CHARACTERS, widget_values
from microgpt.ui.generate.generated_text import GeneratedText, request_text
from microgpt.ui.glossary import caption
from microgpt.ui.saved_file import SavedFile, origin_fields


def text_downloads(checkpoint: Checkpoint, generated: GeneratedText) -> None:
    """Show the downloads of a text; each file is made when its button is pressed."""
    text = checkpoint.tokenizer.decode(generated.predictions.tokens.tolist())
    with st.container(horizontal=True):
        download("text.txt", lambda: generated.prompt + text, "text.txt")
        for name, content in (("characters.csv", record_csv), (RECORD.name, record_json)):
            download(name, partial(content, generated=generated), name, of=checkpoint)


def record_csv(checkpoint: Checkpoint, generated: GeneratedText) -> str:
    """One row for each character, with the settings and the checkpoint in every row."""
    constants = asdict(generated.config) | origin_fields(checkpoint) | {"numerics": PRECISION}
    return to_csv(
        generated.predictions, checkpoint.tokenizer.characters, generated.config, constants
    )


def record_json(checkpoint: Checkpoint, generated: GeneratedText) -> str:
    """The settings that reproduce the text, and the measurements of each character."""
    found = generated.predictions
    values = {
        "numerics": PRECISION,
        "prompt": generated.prompt,
        "settings": asdict(generated.config),
        "length": generated.length,
        "text": checkpoint.tokenizer.decode(found.tokens.tolist()),
        **to_json(found, generated.config),
    }
    content = RECORD.content(checkpoint, values, generated.config.ignorable())
    return json.dumps(content, ensure_ascii=False) + "\n"


def open_record(checkpoint: Checkpoint) -> None:
    """Show an upload for a record.json; an uploaded record requests a text with its settings."""
    tokenizer = checkpoint.tokenizer

    def use(values: dict[str, Any]) -> None:
        request_text(**widget_values(tokenizer, values))

    with st.expander("Open a record"):
        caption(
            "A record holds the prompt and the settings of a text. Drop a record.json here to "
            "write that text again."
        )
        RECORD.uploader(checkpoint, use)


def _read(document: Document) -> dict[str, Any]:
    values = document.values
    config = SamplingConfig.from_dict(values["settings"], document)
    prompt, length = values["prompt"], values["length"]
    if isinstance(prompt, str) and len(prompt) > MAX_TEXT:
        raise ConfigError(f"its prompt has more than {MAX_TEXT:,} characters")
    if not is_text(prompt) or isinstance(length, bool) or not isinstance(length, int | float):
        raise TypeError("the prompt must be text, and the length a number")
    length = max(1, min(MAX_CHARACTERS, int(length)))
    return {"prompt": prompt, "length": length, **asdict(config)}


RECORD = SavedFile(
    noun="record",
    page="Generate",
    kind="microGPT text",
    fields=(
        *("numerics", "prompt", "settings", "length", "text"),
        *("probability", "drawn_with", "rank", "entropy_nats"),
    ),
    difference="the text is different",
    max_mib=4,
    read=_read,
)

"""A text taken home: as it is, as a table, and as a record that opens here again."""

import json
from dataclasses import asdict
from typing import Any

import streamlit as st

from microgpt.analysis.predictions import to_csv
from microgpt.checkpoint import Checkpoint
from microgpt.engine import NUMERICS
from microgpt.formats import Document
from microgpt.sampling import SamplingConfig
from microgpt.ui.download import download
from microgpt.ui.generate.controls import MOST_CHARACTERS, widget_values
from microgpt.ui.generate.written import Written, write_next
from microgpt.ui.kept_file import KeptFile, told_origin


def take_home(checkpoint: Checkpoint, written: Written) -> None:
    """Downloads of a text; what takes time to make is made when it is asked for."""
    text = checkpoint.tokenizer.decode(written.predictions.tokens.tolist())
    with st.container(horizontal=True):
        download("text.txt", lambda: written.prompt + text, "text.txt")
        download("characters.csv", lambda: record_csv(checkpoint, written), "characters.csv")
        download(RECORD.name, lambda: record_json(checkpoint, written), RECORD.name)


def record_csv(checkpoint: Checkpoint, written: Written) -> str:
    """A row a character, each with the settings and the checkpoint it was drawn under."""
    same = {**asdict(written.config), **told_origin(checkpoint), "numerics": NUMERICS}
    return to_csv(written.predictions, checkpoint.tokenizer.characters, written.config, same)


def record_json(checkpoint: Checkpoint, written: Written) -> str:
    """All that it takes to write the text again, and what was measured of each character."""
    found = written.predictions
    values = {
        "numerics": NUMERICS,
        "prompt": written.prompt,
        "settings": asdict(written.config),
        "length": written.length,
        "text": checkpoint.tokenizer.decode(found.tokens.tolist()),
        "probability": [round(p, 6) for p in found.surprise.neg().exp().tolist()],
        "drawn_with": [round(p, 6) for p in found.drawn_with(written.config).tolist()],
        "rank": found.rank.tolist(),
        "entropy_nats": [round(e, 6) for e in found.entropy.tolist()],
    }
    content = RECORD.written(checkpoint, values, written.config.ignorable())
    return json.dumps(content, ensure_ascii=False) + "\n"


def open_record(checkpoint: Checkpoint) -> None:
    """Take a record.json, put its prompt and settings into the page, and write it anew."""

    def use(asked: dict[str, Any]) -> None:
        write_next(**widget_values(checkpoint.tokenizer, asked))

    with st.expander("Open a record"):
        st.caption(
            "A copied link opens a text again. Where the prompt is too long for one, record.json "
            "does the same: drop it in here, on any machine."
        )
        RECORD.uploader(checkpoint, use)


def _read(document: Document) -> dict[str, Any]:
    values = document.values
    config = SamplingConfig.from_dict(values["settings"], document)
    prompt = str(values["prompt"])
    prompt.encode()  # half of a surrogate pair is no text
    length = max(1, min(MOST_CHARACTERS, int(values["length"])))
    return {"prompt": prompt, "length": length, **asdict(config)}


RECORD = KeptFile(
    noun="record",
    whose="a text's",
    kind="microGPT text",
    fields=(
        *("numerics", "prompt", "settings", "length", "text"),
        *("probability", "drawn_with", "rank", "entropy_nats"),
    ),
    differs="text",
    largest=4,
    read=_read,
)

"""The text to train on: where it comes from, and what the model will see of it."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from microgpt.analysis.corpus import Corpus, decoded, with_unix_line_ends
from microgpt.data import DataError
from microgpt.errors import MicroGPTError
from microgpt.training.job_limits import MAX_TEXT_BYTES
from microgpt.ui.allowed import OneOf
from microgpt.ui.cache.training import described, tiny_shakespeare
from microgpt.ui.charts.style import isolated
from microgpt.ui.components.vocabulary.vocabulary import vocabulary
from microgpt.ui.controls import MAX_TEXT
from microgpt.ui.glossary import caption
from microgpt.ui.server import forget_uploads
from microgpt.ui.text import escaped
from microgpt.ui.train.controls import PASTE, PASTED, SOURCE, SOURCES, UPLOAD

_EXAMPLE = (Path(__file__).parents[3] / "assets" / "texts" / "lighthouse.txt").read_text("utf-8")
# What is kept of an uploaded file, and whether Tiny Shakespeare was asked for.
_FILE, _ASKED = "uploaded text", "download Tiny Shakespeare"
_MAX_MB = MAX_TEXT_BYTES // 10**6
_HEIGHT = 380  # pixels
_MAX_NAME = 40  # characters
_PREVIEW = 4_000  # characters
_ENDINGS = " .,;:…。，、；：،؛"


@dataclass(frozen=True)
class Text:
    """The text that the visitor chose. name: of the run and of its checkpoint."""

    name: str
    content: str
    corpus: Corpus


def chosen_text() -> tuple[str, str]:
    """Show the choice of the text and the text; return its name and its content, maybe empty.

    Raises MicroGPTError for a text that cannot be downloaded or read.
    """
    source = st.segmented_control(
        "Text",
        SOURCES,
        default=PASTE,
        required=True,
        **SOURCE.args(OneOf(SOURCES, PASTE)),
    )
    if source == PASTE:
        return _pasted()
    return _uploaded() if source == UPLOAD else _shakespeare()


def checked_text(name: str, content: str) -> Text:
    """The text with what a model sees of it. Raises DataError."""
    if len(content.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
        raise DataError(f"a text has at most {_MAX_MB} MB; this one is longer")
    return Text(name, content, described(content))


def _pasted() -> tuple[str, str]:
    text = st.text_area(
        "Your text",
        _EXAMPLE,
        max_chars=MAX_TEXT,
        placeholder="Type or paste a text here, in any language.",
        height=_HEIGHT,
        label_visibility="collapsed",
        **PASTED.widget_args,
    )
    example = "An example, written for this page. Clear it and paste a text of your own. "
    caption(
        f"{example if text == _EXAMPLE else ''}This box takes up to {MAX_TEXT:,} characters, and "
        "nothing of a longer text: upload that as a file."
    )
    with st.container(horizontal=True, gap="xsmall"):
        st.button(
            "Clear", icon=":material/close:", disabled=not text, on_click=PASTED.choose, args=("",)
        )
        if text != _EXAMPLE:
            st.button("Use the example", on_click=PASTED.choose, args=(_EXAMPLE,))
    content = with_unix_line_ends(text)
    return _name(content), content


def _name(text: str) -> str:
    """The name of a pasted text: its first line that gives a title, shortened."""
    titles = (_title(line) for line in text.splitlines())
    return textwrap.shorten(next(filter(None, titles), "a text"), _MAX_NAME, placeholder=" …")


def _title(text: str) -> str:
    """A name that can end a sentence: without punctuation at its end, except ! and ?."""
    return text.strip().rstrip(_ENDINGS)


def _uploaded() -> tuple[str, str]:
    st.file_uploader(
        "A text file",
        type="txt",
        key="text_file",
        max_upload_size=_MAX_MB,
        on_change=_keep_upload,
        help=f"Plain text in any language, in UTF-8, of at most {_MAX_MB} MB.",
    )
    kept = st.session_state.get(_FILE)
    if kept is None:
        return "", ""
    if isinstance(kept, DataError):
        raise kept
    name, content = kept
    st.markdown(f"**{isolated(escaped(name))}**")
    _preview(content)
    return name, content


def _keep_upload() -> None:
    """Keep the text of the file and not the file, which Streamlit would keep for the session."""
    file: UploadedFile | None = st.session_state["text_file"]
    if file is None:
        st.session_state.pop(_FILE, None)
        return
    try:
        if file.size > MAX_TEXT_BYTES:
            raise DataError(f"a text has at most {_MAX_MB} MB; {file.name} is larger")
        content = with_unix_line_ends(decoded(file.name, file.getvalue()))
        if not content.strip():
            raise DataError(f"{file.name} has no text; choose another file")
        st.session_state[_FILE] = _title(Path(file.name).stem) or "a text", content
    except DataError as error:
        st.session_state[_FILE] = error
    forget_uploads([file])


def _shakespeare() -> tuple[str, str]:
    if not st.session_state.get(_ASKED):
        st.markdown(
            "40,000 lines of Shakespeare, 1.1 million characters: the text of the model that this "
            "app opens with. It is not part of the app, so the server downloads it once."
        )
        if not st.button("Get the text", type="primary", icon=":material/download:"):
            return "", ""
        st.session_state[_ASKED] = True
    try:
        text = tiny_shakespeare()
    except MicroGPTError:
        st.session_state[_ASKED] = False
        raise
    _preview(text)
    return "Tiny Shakespeare", text


def _preview(text: str) -> None:
    """Show the start of a text that is too long for a text area."""
    st.code(text[:_PREVIEW], language=None, height=_HEIGHT - 40, wrap_lines=True)
    if len(text) > _PREVIEW:
        caption(f"The first {_PREVIEW:,} of {len(text):,} characters.")


def show_corpus(corpus: Corpus) -> None:
    """Show what the model will see of a text, and what may be wrong with it."""
    st.markdown(f"**The model will see {corpus.characters:,} characters**")
    vocabulary("vocabulary", corpus)
    if corpus.replaced:
        caption(
            f"{corpus.replaced:,} characters occur fewer than {corpus.rare} times, too rarely to "
            "be learned. Each of them becomes the character �."
        )
    for warning in corpus.warnings:
        caption(f":material/warning: {escaped(warning)}")

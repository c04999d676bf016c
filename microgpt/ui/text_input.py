"""The text area for a text that the model reads."""

from urllib.parse import quote

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.tokenizer import CharTokenizer, UnknownCharacterError
from microgpt.ui import choices
from microgpt.ui.charts import style
from microgpt.ui.controls import MAX_LINK_BYTES, MAX_TEXT, Control
from microgpt.ui.history import stepped
from microgpt.ui.text import escaped, highlighted, markdown

# How many of the characters that the model knows a message lists.
_MAX_LISTED = 128


def fits_link(text: str) -> bool:
    """Whether a text is short enough to be in a link."""
    return len(quote(text)) <= MAX_LINK_BYTES


def default_text(checkpoint: Checkpoint, example: str, at: int = 0) -> str:
    """The text that a text area opens with: the example, or the passage of the checkpoint.

    The example suits a model of Tiny Shakespeare. For any other checkpoint it is replaced by as
    many characters of the checkpoint's passage, from position `at` on, or from its end. The start
    of a longer passage is cut where the next character is most certain, so that there is something
    to see.
    """
    if checkpoint.training.on_tiny_shakespeare and not checkpoint.tokenizer.unknown(example):
        return example
    passage, length = checkpoint.passage, len(example)
    start = max(0, min(at, len(passage) - length))
    if checkpoint.snapshots is not None and start == 0 and length < len(passage):
        length = checkpoint.snapshots.surest_end(length // 2, length)
    return passage[start:][:length]


def text_control(
    checkpoint: Checkpoint,
    label: str,
    default: str,
    control: Control,
    when_empty: str,
    when_long: str | None = None,
    max_length: int | None = None,
) -> str | None:
    """Show a text area and return its text; None if the model does not know all its characters.

    default: what it opens with. A text that fits into a link is in the URL. Unknown characters are
    listed, with a button that replaces them. when_empty: a sentence for an empty text. when_long:
    what the model does with a text longer than its window, a clause; by default that it reads the
    end. max_length: a longer text is cut to this length.
    """
    tokenizer, window = checkpoint.tokenizer, checkpoint.config.block_size
    control.follow_default(default)
    shown = st.session_state.get(control.key, default)
    if stepped():
        shown = st.query_params.get(control.key, shown)
    in_url, left_out_key = fits_link(shown), f"{control.key} is not in the URL"
    if in_url and st.session_state.get(left_out_key):
        # Streamlit writes the value to the URL again only if the script sets it.
        st.session_state[control.key] = shown
    st.session_state[left_out_key] = not in_url
    choices.mark_drawn(control.key)
    text = st.text_area(
        label,
        default,
        key=control.key,
        height=101,  # the label and three whole lines
        max_chars=MAX_TEXT,
        bind="query-params" if in_url else None,
        persist_state="session",
        help=f"The model knows the {tokenizer.vocab_size} characters of its training text. "
        f"It sees at most {window} characters at once.",
    )
    # In a container, so that a new note does not change the positions of the widgets below. The
    # browser would create them again and lose unfinished input.
    with st.container():
        if not in_url:
            st.caption("This text is too long for a link, so the page's address does not hold it.")
        if not check_characters(tokenizer, label, control, text):
            return None
        if max_length is not None and len(text) > max_length:
            st.caption(
                f"The text has {len(text):,} characters; the page uses the first {max_length:,}."
            )
            text = text[:max_length]
        if not text:
            st.caption(when_empty)
        elif len(text) > window:
            clause = when_long or f"the model reads the last {window}"
            st.caption(f"The text has {len(text):,} characters; {clause}.")
    return text


def check_characters(tokenizer: CharTokenizer, label: str, control: Control, text: str) -> bool:
    """Whether the model knows all characters; if not, show the others and offer to replace them."""
    unknown = tokenizer.unknown(text)
    if unknown:
        st.error(
            escaped(
                f"{label}: {UnknownCharacterError(unknown)}. The model cannot read such "
                "characters: change the text, or press “Replace them” below."
            )
        )
        st.html(highlighted(text, unknown, min(unknown.values())))
        known = "".join(style.visible(tokenizer.characters[:_MAX_LISTED]))
        others = " and others" if tokenizer.vocab_size > _MAX_LISTED else ""
        st.caption(f"The model knows {markdown(style.isolated(known))}{others}")
        st.button(
            "Replace them",
            key=f"replace in {control.key}",
            icon=":material/find_replace:",
            on_click=control.choose,
            args=(tokenizer.replace_unknown(text),),
            help="Each becomes a similar character that the model knows, for example ’ becomes ' "
            "and É becomes é or E. A character without a similar one is removed.",
        )
    return not unknown

"""The text area of a text that the model reads."""

from urllib.parse import quote

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.tokenizer import CharTokenizer, UnknownCharacterError
from microgpt.ui.charts import style
from microgpt.ui.controls import MOST_LINK_BYTES, Control
from microgpt.ui.text import marked, plain

# The number of known characters that a message lists.
_MOST_NAMED = 128


def fits_link(text: str) -> bool:
    """Whether a text is short enough for the page's address."""
    return len(quote(text)) <= MOST_LINK_BYTES


def text_control(
    checkpoint: Checkpoint,
    label: str,
    default: str,
    control: Control,
    when_empty: str,
    reads: str | None = None,
    most: int | None = None,
) -> str | None:
    """Show a text area and return its text; None if the model does not know all characters.

    A text that fits into a link is in the URL. Unknown characters are listed, with a button that
    replaces them. when_empty: shown for an empty text. reads: which part of a text longer than the
    window the model reads, the last window by default. most: a longer text is cut to this length.
    """
    tokenizer, window = checkpoint.tokenizer, checkpoint.config.block_size
    default = tokenizer.replace_unknown(default) or tokenizer.characters
    control.follow_default(default)
    shown = st.session_state.get(control.key, default)
    bound, unbound_key = fits_link(shown), f"{control.key} is out of the URL"
    if bound and st.session_state.get(unbound_key):
        # A widget that is bound again writes to the URL only a value that the script sets.
        st.session_state[control.key] = shown
    st.session_state[unbound_key] = not bound
    text = st.text_area(
        label,
        default,
        key=control.key,
        height=110,
        bind="query-params" if bound else None,
        persist_state="session",
        help=f"The model knows the {tokenizer.vocab_size} characters of its training text. "
        f"It sees at most {window} characters at once.",
    )
    # In a container, because a note that moves the widgets below would make the browser draw them
    # again and lose unfinished input.
    with st.container():
        if not bound:
            st.caption("This text is too long for a link, so the page's address leaves it out.")
        if not is_known(tokenizer, label, control, text):
            return None
        if most is not None and len(text) > most:
            st.caption(
                f"The text has {len(text):,} characters; the page uses the first {most:,} of them."
            )
            text = text[:most]
        if not text:
            st.caption(when_empty)
        elif len(text) > window:
            part = reads or f"the last {window} of them"
            st.caption(f"The text has {len(text):,} characters; the model reads {part}.")
    return text


def is_known(tokenizer: CharTokenizer, label: str, control: Control, text: str) -> bool:
    """Whether the model knows all characters; if not, list the others and offer to replace them."""
    unknown = tokenizer.unknown(text)
    if unknown:
        st.error(plain(f"{label}: {UnknownCharacterError(unknown)}."))
        st.html(marked(text, unknown, min(unknown.values())))
        known = "".join(style.visible(tokenizer.characters[:_MOST_NAMED]))
        st.caption(
            plain(f"The model knows {known}") + " and others" * (tokenizer.vocab_size > _MOST_NAMED)
        )
        st.button(
            "Replace them",
            key=f"replace in {control.key}",
            icon=":material/find_replace:",
            on_click=set_text,
            args=(control, tokenizer.replace_unknown(text)),
            help="’ becomes ' and é becomes e. Characters without a plain form are removed.",
        )
    return not unknown


def set_text(control: Control, text: str) -> None:
    """Set a text control to a text. For a callback."""
    st.session_state[control.key] = text

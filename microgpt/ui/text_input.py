"""The input of a text that the model reads."""

from urllib.parse import quote

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.tokenizer import CharTokenizer, UnknownCharacterError
from microgpt.ui.charts import style
from microgpt.ui.controls import MOST_LINK_BYTES, Control
from microgpt.ui.text import marked, plain

# Known characters that are named.
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
    """A text for the model to read, in the URL while it is short; None where it cannot be read.

    Characters that the model does not know are named, with their replacement a click away, and of
    a text beyond the window it is said which part the model reads: the last window, or `reads`.
    when_empty is said of no text at all; of a text longer than `most` the first so many are taken.
    """
    tokenizer, window = checkpoint.tokenizer, checkpoint.config.block_size
    default = tokenizer.replace_unknown(default) or tokenizer.characters
    control.follow_default(default)
    shown = st.session_state.get(control.key, default)
    bound, unbound_key = fits_link(shown), f"{control.key} is out of the URL"
    if bound and st.session_state.get(unbound_key):
        # Only a value that the script sets is written to the URL when a widget is bound again.
        st.session_state[control.key] = shown
    st.session_state[unbound_key] = not bound
    text = st.text_area(
        label,
        default,
        key=control.key,
        height=110,
        bind="query-params" if bound else None,
        persist_state="session",
        help=f"The model knows {tokenizer.vocab_size} characters, those of the text it was "
        f"trained on, and sees at most {window} at once.",
    )
    # In a container, so that a note that comes or goes does not move the widgets below: the
    # browser would draw those anew and lose what is being typed into them.
    with st.container():
        if not bound:
            st.caption("This text is too long for a link: the page's address leaves it out.")
        if not is_known(tokenizer, label, control, text):
            return None
        if most is not None and len(text) > most:
            st.caption(f"Of the text's {len(text):,} characters the first {most:,} are taken.")
            text = text[:most]
        if not text:
            st.caption(when_empty)
        elif len(text) > window:
            part = reads or f"the last {window} of them"
            st.caption(f"The text has {len(text):,} characters; the model reads {part}.")
    return text


def is_known(tokenizer: CharTokenizer, label: str, control: Control, text: str) -> bool:
    """Whether the model can read a text area's text; if not, say why and offer to mend it."""
    unknown = tokenizer.unknown(text)
    if unknown:
        st.error(plain(f"{label}: {UnknownCharacterError(unknown)}."))
        st.html(marked(text, unknown, min(unknown.values())))
        known = "".join(style.visible(tokenizer.characters[:_MOST_NAMED]))
        st.caption(
            plain(f"It knows {known}") + " and others" * (tokenizer.vocab_size > _MOST_NAMED)
        )
        st.button(
            "Replace them",
            key=f"replace in {control.key}",
            icon=":material/find_replace:",
            on_click=set_text,
            args=(control, tokenizer.replace_unknown(text)),
            help="’ becomes ', é becomes e; what has no plain form is left out.",
        )
    return not unknown


def set_text(control: Control, text: str) -> None:
    """Put a text into a text control, in a callback."""
    st.session_state[control.key] = text

"""What every page shares: its header and guard, a text to read, the sampling controls."""

from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import quote

import streamlit as st

from microgpt.checkpoint import Checkpoint
from microgpt.generate import KEPT
from microgpt.sampling import SAMPLING_LIMITS, SamplingConfig
from microgpt.tokenizer import CharTokenizer, UnknownCharacterError
from microgpt.ui.charts import style
from microgpt.ui.checkpoints import checkpoint_picker
from microgpt.ui.text import plain

MOST_CHARACTERS = 10_000
# What a text may take of a link: servers refuse addresses that are much longer.
MOST_LINK_BYTES = 3000
# Characters shown around one that the model does not know.
_EXCERPT = 240
# Known characters that are named.
_MOST_NAMED = 128
_MARK = (
    '<mark style="background: #d2691e55; color: inherit; text-decoration: underline wavy">{}</mark>'
)
# Two controls beside each other on a phone, five on anything wider.
CONTROL_WIDTH = 150


def frame_session() -> None:
    """Tell page_header that app.py has run; go on to the page that was asked for before it had."""
    st.session_state["framed"] = True
    if page := st.session_state.pop("asked_page", None):
        st.switch_page(page, query_params=st.query_params.to_dict())


def page_header(page: str, title: str, caption: str) -> Checkpoint:
    """Open a page: its title, the checkpoint picker in the sidebar, and the checkpoint to show.

    A fresh server runs a page that is its first visit without app.py; such a run goes back there.
    """
    if not st.session_state.get("framed"):
        st.session_state["asked_page"] = page
        st.switch_page("app.py", query_params=st.query_params.to_dict())
    st.set_page_config(page_title=f"{title} · microGPT")
    st.title(title, anchor=False)
    st.caption(caption)
    return checkpoint_picker(st.container())


def show_views(
    checkpoint: Checkpoint, views: Mapping[str, Callable[[Checkpoint], None]], key: str
) -> None:
    """A page's views in tabs; the open one is in the URL under that key, and only it runs."""
    tabs = st.tabs(list(views), key=key, bind="query-params")
    for tab, view in zip(tabs, views.values(), strict=True):
        if tab.open:
            with tab:
                view(checkpoint)


def text_control(
    checkpoint: Checkpoint,
    label: str,
    default: str,
    key: str,
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
    follow_default(key, default)
    shown = st.session_state.get(key, default)
    bound, unbound_key = len(quote(shown)) <= MOST_LINK_BYTES, f"{key} is out of the URL"
    if bound and st.session_state.get(unbound_key):
        # Only a value that the script sets is written to the URL when a widget is bound again.
        st.session_state[key] = shown
    st.session_state[unbound_key] = not bound
    text = st.text_area(
        label,
        default,
        key=key,
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
        if not is_known(tokenizer, label, key, text):
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


def is_known(tokenizer: CharTokenizer, label: str, key: str, text: str) -> bool:
    """Whether the model can read a text area's text; if not, say why and offer to mend it."""
    unknown = tokenizer.unknown(text)
    if unknown:
        st.error(plain(f"{label}: {UnknownCharacterError(unknown)}."))
        st.html(_underlined(text, unknown))
        known = "".join(style.visible(tokenizer.characters[:_MOST_NAMED]))
        st.caption(
            plain(f"It knows {known}") + " and others" * (tokenizer.vocab_size > _MOST_NAMED)
        )
        st.button(
            "Replace them",
            key=f"replace in {key}",
            icon=":material/find_replace:",
            on_click=set_text,
            args=(key, tokenizer.replace_unknown(text)),
            help="’ becomes ', é becomes e; what has no plain form is left out.",
        )
    return not unknown


def _underlined(text: str, unknown: dict[str, int]) -> str:
    """The part of a text around its first unknown character as HTML, all unknown ones marked."""
    start = max(0, min(unknown.values()) - _EXCERPT // 4)
    shown = "".join(
        _MARK.format(escape(c)) if c in unknown else escape(c) for c in text[start:][:_EXCERPT]
    )
    before, after = "…" if start else "", "…" if start + _EXCERPT < len(text) else ""
    return (
        f'<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{before}{shown}{after}</pre>'
    )


def set_text(key: str, text: str) -> None:
    """Put a text into a text_control, from a button's callback."""
    st.session_state[key] = text


def keep_within(key: str, most: int) -> None:
    """Bring a choice made for another checkpoint within what the present one has."""
    if st.session_state.get(key, 0) > most:
        st.session_state[key] = most


def follow_default(key: str, default: object) -> None:
    """Let a setting that nobody has changed go along when another checkpoint's default differs."""
    default_key = f"{key} by default"
    if key in st.session_state and st.session_state[key] == st.session_state.get(default_key):
        st.session_state[key] = default
    st.session_state[default_key] = default


def make_choice(key: str, value: object) -> None:
    """Put a choice into a control, from a callback; follow_default leaves it, default or not."""
    st.session_state[key] = value
    st.session_state.pop(f"{key} by default", None)


def sampling_controls(checkpoint: Checkpoint) -> tuple[SamplingConfig, int]:
    """How the next characters are drawn, and how many of them; each setting is in the URL."""
    with st.container(horizontal=True):
        temperature, top_k, top_p = drawing_controls(checkpoint.tokenizer)
        length, seed = length_control(MOST_CHARACTERS), seed_control()
    window = checkpoint.config.block_size
    exact = st.toggle(f"Exact past {window} characters (slow)", key="exact", bind="query-params")
    if exact:
        st.caption(
            f"The model sees {window} characters, and past them reads the last {window} anew for "
            f"every one. Otherwise, each time they are full, it goes on from the last "
            f"{max(1, int(KEPT * window))}."
        )
    return SamplingConfig(temperature, top_k, top_p, seed, exact), length


def drawing_controls(
    tokenizer: CharTokenizer, prefix: str = "", default: float = 0.8, width: int = CONTROL_WIDTH
) -> tuple[float, int, float]:
    """Sliders for temperature, top-k and top-p; prefix tells one set of them from another.

    default is the temperature's; width is each slider's, in pixels.
    """
    every = max(2, tokenizer.vocab_size)  # a slider needs two values
    follow_default(f"{prefix}top_k", every)
    keep_within(f"{prefix}top_k", every)
    temperature = st.slider(
        "Temperature",
        0.0,
        2.0,
        default,
        0.05,
        key=f"{prefix}temperature",
        bind="query-params",
        width=width,
        help="0 always takes the likeliest character, whatever the seed; above 1 the unlikely "
        "ones gain.",
    )
    top_k = st.slider(
        "Top-k",
        1,
        every,
        every,
        key=f"{prefix}top_k",
        bind="query-params",
        width=width,
        help=f"Choose among the k likeliest characters; {every} is all of them.",
    )
    top_p = st.slider(
        "Top-p",
        0.0,
        1.0,
        1.0,
        0.01,
        key=f"{prefix}top_p",
        bind="query-params",
        width=width,
        help="Choose among the fewest characters that together hold this probability; 1 is all of "
        "them.",
    )
    return temperature, top_k, top_p


def length_control(most: int) -> int:
    """How many characters to write, up to `most` in this view."""
    length = st.number_input(
        "Characters to write",
        1,
        MOST_CHARACTERS,
        400,
        100,
        key="length",
        bind="query-params",
        width=CONTROL_WIDTH,
        help=f"At most {most:,} are written here.",
    )
    return min(most, length)


def seed_control() -> int:
    """Where the random draws start."""
    return st.number_input(
        "Seed",
        0,
        SAMPLING_LIMITS["seed"][1],
        1,
        key="seed",
        bind="query-params",
        width=CONTROL_WIDTH,
        help="The same seed, prompt and settings give the same text.",
    )

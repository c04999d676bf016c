"""Escape text that comes from outside, so that the page shows it unchanged."""

import re
from collections.abc import Container
from html import escape

from microgpt.ui.charts.style import in_text

_ESCAPES = str.maketrans(
    {char: "\\" + char for char in r"\`*_[]<>#$:~|&"} | dict.fromkeys("\n\r", " ")
)
# Where Markdown and Streamlit turn plain text into a list, a line, an arrow, an icon or a link. An
# invisible word joiner prevents that.
_JOINER = "\u2060"
_ENDS = re.compile(r"^(?=[-+=\s]|[0-9]+[.)])|(?<=\s)$")
_INSIDE = re.compile(r"(?<=[-<>=~])(?=[-<>=~])|(?<=:)(?=material/|streamlit:)")
_ADDRESS = re.compile(r"(https?|www|@)", re.IGNORECASE)
_EXCERPT = 240
_MARK = (
    '<mark style="background: #d2691e55; color: inherit; text-decoration: underline wavy">{}</mark>'
)


def counted(count: int, noun: str) -> str:
    """A number of things, as in "1 layer" and "6 layers"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def escaped(text: str) -> str:
    """Escape a text for Markdown, so that one line shows it exactly.

    Characters without a glyph become signs, so that none of them can reorder the line.
    """
    valid = text.encode("utf-8", "replace").decode("utf-8")  # the name of a folder may be invalid
    return markdown("".join(char if char in "\n\r" else in_text(char) for char in valid))


def markdown(text: str) -> str:
    """Escape a text without invisible characters, such as a name from charts/style.py."""
    joined = _INSIDE.sub(_JOINER, _ENDS.sub(_JOINER, text)).translate(_ESCAPES)
    return _ADDRESS.sub(f"\\1{_JOINER}", joined)


def highlighted(text: str, characters: Container[str], first: int) -> str:
    """An excerpt of a text, from shortly before position `first`, as HTML.

    The given characters are highlighted.
    """
    start = max(0, first - _EXCERPT // 4)
    shown = "".join(
        _MARK.format(escape(in_text(c))) if c in characters else escape(in_text(c))
        for c in text[start:][:_EXCERPT]
    )
    before, after = "…" if start else "", "…" if start + _EXCERPT < len(text) else ""
    wrap = "white-space: pre-wrap; overflow-wrap: anywhere"
    return f'<pre dir="auto" style="{wrap}">{before}{shown}{after}</pre>'

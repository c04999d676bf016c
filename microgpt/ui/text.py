"""Escape text that comes from outside, so that the page shows it unchanged."""

import re
from collections.abc import Container
from html import escape

_ESCAPES = str.maketrans(
    {char: "\\" + char for char in r"\`*_[]<>#$:~|&"} | dict.fromkeys("\n\r", " ")
)
# Markdown makes links of bare addresses; an invisible word joiner prevents that.
_ADDRESS = re.compile(r"(https?|www|@)", re.IGNORECASE)
_EXCERPT = 240
_MARK = (
    '<mark style="background: #d2691e55; color: inherit; text-decoration: underline wavy">{}</mark>'
)


def escaped(text: str) -> str:
    """Escape a text for Markdown, on one line."""
    valid = text.encode("utf-8", "replace").decode("utf-8")  # the name of a folder may not be
    return _ADDRESS.sub("\\1\u2060", valid.translate(_ESCAPES))


def highlighted(text: str, characters: Container[str], first: int) -> str:
    """An excerpt of a text, from shortly before position `first`, as HTML.

    The given characters are highlighted.
    """
    start = max(0, first - _EXCERPT // 4)
    shown = "".join(
        _MARK.format(escape(c)) if c in characters else escape(c) for c in text[start:][:_EXCERPT]
    )
    before, after = "…" if start else "", "…" if start + _EXCERPT < len(text) else ""
    return (
        f'<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{before}{shown}{after}</pre>'
    )

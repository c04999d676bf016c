"""Text from outside, shown exactly as it is."""

import re
from collections.abc import Container
from html import escape

_ESCAPES = str.maketrans(
    {char: "\\" + char for char in r"\`*_[]<>#$:~|&"} | dict.fromkeys("\n\r", " ")
)
# Bare addresses become links whatever is escaped; an invisible word joiner keeps them text.
_ADDRESS = re.compile(r"(https?|www|@)", re.IGNORECASE)
_EXCERPT = 240
_MARK = (
    '<mark style="background: #d2691e55; color: inherit; text-decoration: underline wavy">{}</mark>'
)


def plain(text: str) -> str:
    """Text from outside, so that Markdown shows it as it is and on one line."""
    return _ADDRESS.sub("\\1\u2060", text.translate(_ESCAPES))


def marked(text: str, characters: Container[str], first: int) -> str:
    """An excerpt of a text around position `first` as HTML, with some characters marked."""
    start = max(0, first - _EXCERPT // 4)
    shown = "".join(
        _MARK.format(escape(c)) if c in characters else escape(c) for c in text[start:][:_EXCERPT]
    )
    before, after = "…" if start else "", "…" if start + _EXCERPT < len(text) else ""
    return (
        f'<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{before}{shown}{after}</pre>'
    )

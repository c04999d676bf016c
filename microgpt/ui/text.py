"""How text from outside is shown: exactly as it is."""

import re

_ESCAPES = str.maketrans(
    {char: "\\" + char for char in r"\`*_[]<>#$:~|&"} | dict.fromkeys("\n\r", " ")
)
# Bare addresses become links whatever is escaped; an invisible word joiner keeps them text.
_ADDRESS = re.compile(r"(https?|www|@)", re.IGNORECASE)


def plain(text: str) -> str:
    """Text from outside, so that Markdown shows it as it is and on one line."""
    return _ADDRESS.sub("\\1\u2060", text.translate(_ESCAPES))

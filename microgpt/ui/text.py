"""How text from outside is shown: exactly as it is."""

_ESCAPES = str.maketrans({char: "\\" + char for char in r"\`*_[]<>#$:~|"} | {"\n": " "})


def plain(text: str) -> str:
    """Text from outside, so that Markdown shows it as it is."""
    return text.translate(_ESCAPES)

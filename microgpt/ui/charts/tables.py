"""Tables with text from outside, as CSV and on a page; imports neither streamlit nor torch."""

import pandas as pd

from microgpt.formats import defused

_JOINER = "\u2060"  # invisible


def to_csv(frame: pd.DataFrame, float_format: str | None = None) -> str:
    """Convert a table to CSV, without its index. A spreadsheet reads no cell as a formula."""
    return _defused(frame, "'").to_csv(index=False, float_format=float_format)


def for_page(frame: pd.DataFrame) -> pd.DataFrame:
    """The table as a page shows it, with an invisible character before each formula.

    Streamlit's table has a download of its own, which writes the cells as they are.
    """
    return _defused(frame, _JOINER)


def _defused(frame: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Defuse each distinct text only once, because an attention map has millions of cells."""
    changed = {}
    for name in frame.columns:
        column = frame[name]
        if not pd.api.types.is_numeric_dtype(column):
            found = (each for each in column.unique() if isinstance(each, str))
            texts = {each: defused(each, prefix) for each in found}
            if any(each != text for each, text in texts.items()):
                changed[name] = [texts.get(each, each) for each in column]
    return frame.assign(**changed) if changed else frame

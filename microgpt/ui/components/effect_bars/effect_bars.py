"""The browser component that shows signed numbers as bars, some of which a visitor can open."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from microgpt.ui.components import component

_BARS = component("effect_bars")


@dataclass(frozen=True)
class Bar:
    """One row: its name, the number that the bar shows, and a second one, drawn as a line.

    opens: the value that a click on the row sends; None if the row cannot be opened.
    """

    name: str
    value: float
    second: float | None = None
    opens: str | None = None


def effect_bars(
    key: str,
    label: str,
    bars: Sequence[Bar],
    columns: Sequence[str],
    chosen: str | None = None,
    on_pick: Callable[[object], None] = lambda opens: None,
) -> None:
    """Show one row for each bar, in this order, with its numbers.

    label: what the rows are, for a screen reader. columns: the title of the numbers, and of the
    second ones if there are any. chosen: the row that is open. on_pick: called with what a row
    opens before the next run.
    """

    def picked() -> None:
        if (opens := st.session_state[key].get("picked")) is not None:
            on_pick(opens)

    rounded = [
        asdict(bar)
        | {
            "value": _four_digits(bar.value),
            "second": None if bar.second is None else _four_digits(bar.second),
        }
        for bar in bars
    ]
    data = {"label": label, "bars": rounded, "columns": list(columns), "chosen": chosen}
    _BARS(key=key, data=data, on_picked_change=picked)


def _four_digits(value: float) -> float:
    return float(f"{value:.4g}")

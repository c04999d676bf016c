"""Controls: each declares once its key, the type of its value and where the value is kept.

UP_TO = control("up_to", is_count, saved="attention")
st.number_input("Up to layer", 1, most, most, **UP_TO.bound)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

# In pixels: two controls fit side by side on a phone, five on a wider screen.
CONTROL_WIDTH = 150
# The longest text in a link, in bytes; servers refuse much longer addresses.
MOST_LINK_BYTES = 3000
_MOST_COUNT = 4096

Kind = Callable[[object], bool]


def is_text(value: object) -> bool:
    """Whether a value is a string without half surrogate pairs, which cannot be encoded."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def is_count(value: object) -> bool:
    """Whether a value is a positive integer of a size that a control can have."""
    return type(value) is int and 1 <= value <= _MOST_COUNT


def is_list_of(kind: Kind) -> Kind:
    """The kind of a list whose values are all of one kind."""
    return lambda value: isinstance(value, list) and all(map(kind, value))


@dataclass(frozen=True)
class Control:
    """One control of a page; a numbered control stands for several.

    key: of the widget, in the URL and in a saved view; a numbered control has key_1, key_2, …
    kind: whether a value from a file has the widget's type; a value that the widget does not offer
    is dropped by the widget. url: whether the value is in the URL, "short" for a text that is there
    only if it fits. saved: the saved view that holds the value.
    """

    key: str
    kind: Kind | None = None
    url: bool | Literal["short"] = True
    saved: str | None = None
    numbered: bool = False

    def at(self, number: int) -> "Control":
        """One control of a numbered control."""
        return Control(f"{self.key}_{number}", self.kind, self.url, self.saved)

    def has(self, key: str) -> bool:
        """Whether a key belongs to this control."""
        if self.numbered:
            return re.fullmatch(rf"{re.escape(self.key)}_[1-9][0-9]{{0,3}}", key) is not None
        return key == self.key

    @property
    def keys(self) -> list[str]:
        """This control's keys that have a value in this session."""
        return sorted(key for key in map(str, st.session_state) if self.has(key))

    @property
    def bound(self) -> dict[str, Any]:
        """The arguments of the widget: its key and where its value is kept."""
        kept = {"bind": "query-params"} if self.url else {"persist_state": "session"}
        return {"key": self.key, **kept}

    @property
    def value(self) -> Any:
        """The value in this session, None before the control was first shown."""
        return st.session_state.get(self.key)

    def follow_default(self, default: object) -> None:
        """If the visitor left the value at its default, change it when the default changes."""
        default_key = f"{self.key} by default"
        if self.key in st.session_state and self.value == st.session_state.get(default_key):
            st.session_state[self.key] = default
        st.session_state[default_key] = default

    def keep_within(self, most: int) -> None:
        """Lower a number that was chosen for a larger checkpoint to `most`."""
        if st.session_state.get(self.key, 0) > most:
            st.session_state[self.key] = most

    def choose(self, value: object) -> None:
        """Set the value, in a callback; follow_default then no longer changes it."""
        st.session_state[self.key] = value
        st.session_state.pop(f"{self.key} by default", None)


_CONTROLS: dict[str, Control] = {}


def control(
    key: str,
    kind: Kind | None = None,
    *,
    url: bool | Literal["short"] = True,
    saved: str | None = None,
    numbered: bool = False,
) -> Control:
    """Declare a control at import; for the arguments see Control.

    Saved views then know the controls of tabs that were not drawn yet. Raises ValueError for a
    saved control without a kind.
    """
    if saved is not None and kind is None:
        raise ValueError(f"the saved control {key!r} needs a kind")
    made = Control(key, kind, url, saved, numbered)
    _CONTROLS[key] = made
    return made


def saved_controls(view: str) -> list[Control]:
    """The controls of a saved view, in the order of their declaration."""
    return [each for each in _CONTROLS.values() if each.saved == view]


def saved_values(view: str) -> dict[str, object]:
    """This session's values of the controls of a saved view, by key."""
    return {key: st.session_state[key] for each in saved_controls(view) for key in each.keys}


def fits(view: str, key: str, value: object) -> bool:
    """Whether a saved view has a control with this key and with values of this type."""
    found = (each for each in saved_controls(view) if each.has(key))
    return any(each.kind is not None and each.kind(value) for each in found)

"""Controls: each declares once what it is called, what it holds and where its value is kept.

UP_TO = control("up_to", is_count, saved="attention")
st.number_input("Up to layer", 1, most, most, **UP_TO.bound)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

# Two controls beside each other on a phone, five on anything wider.
CONTROL_WIDTH = 150
# The longest text that a link holds, in bytes: servers refuse much longer addresses.
MOST_LINK_BYTES = 3000
_MOST_COUNT = 4096

Kind = Callable[[object], bool]


def is_text(value: object) -> bool:
    """Whether a value is a string that can be encoded: half of a surrogate pair cannot."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def is_count(value: object) -> bool:
    """Whether a value is a number that a control counts with, from 1."""
    return type(value) is int and 1 <= value <= _MOST_COUNT


def is_list_of(kind: Kind) -> Kind:
    """The kind of a list whose values are each of a kind."""
    return lambda value: isinstance(value, list) and all(map(kind, value))


@dataclass(frozen=True)
class Control:
    """One control of a page, or one per number if numbered.

    key: the widget's key and the control's name in the URL and in a saved view; the keys of a
    numbered control are key_1, key_2, …. kind: whether a value from a file has the widget's type; a
    widget itself drops a value that it does not offer. url: whether the value is in the URL; a
    "short" text only if it fits into a link. saved: the saved view that holds the value.
    """

    key: str
    kind: Kind | None = None
    url: bool | Literal["short"] = True
    saved: str | None = None
    numbered: bool = False

    def at(self, number: int) -> "Control":
        """The control of one number, of a numbered control."""
        return Control(f"{self.key}_{number}", self.kind, self.url, self.saved)

    def has(self, key: str) -> bool:
        """Whether a key is this control's."""
        if self.numbered:
            return re.fullmatch(rf"{re.escape(self.key)}_[1-9][0-9]{{0,3}}", key) is not None
        return key == self.key

    @property
    def keys(self) -> list[str]:
        """This control's keys that have a value in this session."""
        return sorted(key for key in map(str, st.session_state) if self.has(key))

    @property
    def bound(self) -> dict[str, Any]:
        """The arguments that name the widget and say where its value is kept."""
        kept = {"bind": "query-params"} if self.url else {"persist_state": "session"}
        return {"key": self.key, **kept}

    @property
    def value(self) -> Any:
        """The value in this session, None before the control was first shown."""
        return st.session_state.get(self.key)

    def follow_default(self, default: object) -> None:
        """Change a value that the visitor left at its default when the default changes."""
        default_key = f"{self.key} by default"
        if self.key in st.session_state and self.value == st.session_state.get(default_key):
            st.session_state[self.key] = default
        st.session_state[default_key] = default

    def keep_within(self, most: int) -> None:
        """Lower a number chosen for another checkpoint to the largest that this one has."""
        if st.session_state.get(self.key, 0) > most:
            st.session_state[self.key] = most

    def choose(self, value: object) -> None:
        """Set the value, in a callback; follow_default then leaves it, default or not."""
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
    """Declare a control when its module is imported; see Control.

    Saved views then know the controls of tabs that were never drawn. Raises ValueError for a saved
    control without a kind.
    """
    if saved is not None and kind is None:
        raise ValueError(f"the saved control {key!r} needs a kind")
    made = Control(key, kind, url, saved, numbered)
    _CONTROLS[key] = made
    return made


def saved_controls(view: str) -> list[Control]:
    """The controls that a saved view holds, in the order of their declaration."""
    return [each for each in _CONTROLS.values() if each.saved == view]


def saved_values(view: str) -> dict[str, object]:
    """This session's values of the controls of a saved view, by key."""
    return {key: st.session_state[key] for each in saved_controls(view) for key in each.keys}


def fits(view: str, key: str, value: object) -> bool:
    """Whether a saved view has a control of this key that takes values of this type."""
    found = (each for each in saved_controls(view) if each.has(key))
    return any(each.kind is not None and each.kind(value) for each in found)

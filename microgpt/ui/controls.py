"""Controls: each declares once its key, the type of its value and where the value is stored.

UP_TO = control("up_to", is_count, saved="attention")
st.number_input("Up to layer", 1, most, most, **UP_TO.args(Numbers(1, most, most)))
"""

import contextlib
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st
from streamlit.errors import StreamlitAPIException

from microgpt.ui import choices
from microgpt.ui.allowed import Allowed, same
from microgpt.ui.history import stepped
from microgpt.ui.text import escaped

# In pixels: two controls fit side by side on a phone and five on a laptop.
CONTROL_WIDTH = 150
# The longest text in a link, in bytes. Servers refuse much longer addresses.
MAX_LINK_BYTES = 3000
# The longest text in a text area, in characters. The server closes the connection of a browser that
# sends more than maxWidgetStateSize; a text of this length is below that limit.
MAX_TEXT = 100_000
_MAX_COUNT = 4096

Check = Callable[[object], bool]


def is_text(value: object) -> bool:
    """Whether a value is a text of at most MAX_TEXT characters that UTF-8 can encode."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        return False
    return not re.search("[\ud800-\udfff]", value)  # lone surrogates


def is_count(value: object) -> bool:
    """Whether a value is an integer from 1 to the largest number that a control can have."""
    return type(value) is int and 1 <= value <= _MAX_COUNT


def is_list_of(check: Check) -> Check:
    """A check for a list whose items all pass the given check."""
    return lambda value: isinstance(value, list) and all(map(check, value))


@dataclass(frozen=True)
class Control:
    """One control of a page, or several that differ by a number.

    key: the name of the value in the session, in the URL and in a saved view. If `numbered`, there
    are several widgets with the keys key_1, key_2, … check: whether a value from a file has the
    right type; `args` later replaces a value that the widget does not allow. url: whether the value
    is in the URL; "short" for a text that is there only if it fits. saved: the name of the saved
    view that holds the value.
    """

    key: str
    check: Check | None = None
    url: bool | Literal["short"] = True
    saved: str | None = None
    numbered: bool = False

    def at(self, number: int) -> "Control":
        """The control with this number."""
        return Control(f"{self.key}_{number}", self.check, self.url, self.saved)

    def owns(self, key: str) -> bool:
        """Whether a key belongs to this control."""
        if self.numbered:
            # Two digits are enough for the layers of any model. A file with thousands of keys would
            # make every later run of the session slow.
            return re.fullmatch(rf"{re.escape(self.key)}_[1-9][0-9]?", key) is not None
        return key == self.key

    @property
    def keys(self) -> list[str]:
        """This control's keys that have a value in this session."""
        if not self.numbered:
            return [self.key] if self.key in st.session_state else []
        return sorted(key for key in map(str, st.session_state) if self.owns(key))

    @property
    def widget_args(self) -> dict[str, Any]:
        """Arguments of a widget that allows every value: its key, and where its value is stored."""
        return self._stored(bool(self.url))

    def args(self, allowed: Allowed) -> dict[str, Any]:
        """Arguments of a widget that allows only some values, as `widget_args`.

        Another value is replaced by the nearest allowed one. The page says so if the value came
        from a link or a saved view, but not if it was set for another checkpoint or a longer text.
        """
        in_link = self._replace_in_link(allowed) if self.url else False
        if self.key in st.session_state:
            value, nearest = self.value, allowed.nearest(self.value)
            if not same(value, nearest):
                st.session_state[self.key] = nearest
                if st.session_state.get(self._from_file):
                    _say_replaced(self.key, repr(value), allowed.texts(nearest))
        st.session_state.pop(self._from_file, None)
        # If the link has a value that is not allowed, Streamlit must not read it: it would use the
        # default instead, and fail for infinity.
        return self._stored(bool(self.url) and not in_link)

    def _replace_in_link(self, allowed: Allowed) -> bool:
        """Replace a value in the link that is not allowed; return whether there was one."""
        texts = st.query_params.get_all(self.key)
        if not texts or same(value := allowed.read(texts), nearest := allowed.nearest(value)):
            return False
        if self.key in st.session_state:
            # The link follows the session, in which args replaces a value that is not allowed.
            if same(self.value, value) or same(self.value, allowed.nearest(self.value)):
                return False
        else:
            st.session_state[self.key] = nearest
            _say_replaced(self.key, ", ".join(texts), allowed.texts(nearest))
        with contextlib.suppress(StreamlitAPIException):  # bound, so Streamlit will remove it
            if nearest == allowed.default:
                del st.query_params[self.key]
            else:
                st.query_params[self.key] = allowed.texts(nearest)
        return True

    def _stored(self, in_url: bool) -> dict[str, Any]:
        choices.mark_drawn(self.key)
        stored = {"bind": "query-params"} if in_url else {"persist_state": "session"}
        return {"key": self.key, **stored}

    @property
    def _from_file(self) -> str:
        return f"{self.key} is from a file"

    @property
    def value(self) -> Any:
        """The value in this session, None before the control was first shown."""
        return st.session_state.get(self.key)

    def upcoming(self, allowed: Allowed) -> Any:
        """The value that the widget will have when it is drawn with these allowed values."""
        if self.key in st.session_state and not (self.url and stepped()):
            return allowed.nearest(self.value)
        texts = st.query_params.get_all(self.key) if self.url else []
        return allowed.nearest(allowed.read(texts)) if texts else allowed.default

    def follow_default(self, default: object) -> None:
        """Set the value to a new default, unless the visitor changed it from the previous one."""
        default_key = f"{self.key} by default"
        if self.key in st.session_state and self.value == st.session_state.get(default_key):
            st.session_state[self.key] = default
        st.session_state[default_key] = default

    def choose(self, value: object) -> None:
        """Set the value. For a callback."""
        choices.choose(self.key, value)

    def set(self, value: object) -> None:
        """Set the value from a file; follow_default does not change it then. For a callback."""
        self.choose(value)
        st.session_state.pop(f"{self.key} by default", None)
        st.session_state[self._from_file] = True


def _say_replaced(key: str, given: str, used: Sequence[str]) -> None:
    short = textwrap.shorten(given, 60, placeholder=" …") or "empty"
    sentence = f"{key} cannot be {short} here, so the page uses {', '.join(used) or 'none'}."
    st.toast(escaped(sentence), duration="long")


_CONTROLS: dict[str, Control] = {}


def control(
    key: str,
    check: Check | None = None,
    *,
    url: bool | Literal["short"] = True,
    saved: str | None = None,
    numbered: bool = False,
) -> Control:
    """Declare a control at import; the arguments are those of Control.

    Saved views can then hold the controls of tabs that were not open yet. Raises ValueError for a
    saved control without a check.
    """
    if saved is not None and check is None:
        raise ValueError(f"the saved control {key!r} needs a check")
    declared = Control(key, check, url, saved, numbered)
    _CONTROLS[key] = declared
    return declared


# The session's key of the page and the tab whose controls were drawn last.
_DRAWN = "page and tab of the controls"


def keep_values(page: str, tab: Control | None, kept: Iterable[Control]) -> None:
    """Keep the values of controls when another page or tab opens; call it before any is drawn.

    tab: the control of the page's tabs, None for a page without tabs.

    In the first run of a page, Streamlit gives its widgets their defaults. A click may also end the
    run of another tab before it has drawn its controls, and the browser then resets those of the
    open tab. Both happen unless the script sets the values.
    """
    drawn = page, tab and tab.value
    if st.session_state.get(_DRAWN) != drawn:
        for key in (key for each in kept for key in each.keys):
            st.session_state[key] = st.session_state[key]
    st.session_state[_DRAWN] = drawn


def saved_controls(view: str) -> list[Control]:
    """The controls of a saved view, in the order of their declaration."""
    return [each for each in _CONTROLS.values() if each.saved == view]


def saved_values(view: str) -> dict[str, object]:
    """This session's values of the controls of a saved view, by key."""
    return {key: st.session_state[key] for each in saved_controls(view) for key in each.keys}


def is_valid(view: str, key: str, value: object) -> bool:
    """Whether a saved view has a control with this key and with values of this type."""
    found = (each for each in saved_controls(view) if each.owns(key))
    return any(each.check is not None and each.check(value) for each in found)

"""The browser component with a switch for each head; a coloured switch is on."""

from collections.abc import Callable, Collection, Sequence

import streamlit as st

from microgpt.ui.components import Badge, badge_data, component

_SWITCHBOARD = component("switchboard")


def switchboard(
    key: str,
    badges: Sequence[Sequence[Badge | None]],
    off: Collection[tuple[int, int]],
    on_switch: Callable[[frozenset[tuple[int, int]]], None],
) -> None:
    """Show a switch for each head, a row for each layer.

    badges: that of each head, by layer; None for none. off: the heads that are off, (layer, head)
    from 0. on_switch: called with all heads that are off, before the next run.
    """

    def switched() -> None:
        heads = [[layer, head] for layer, row in enumerate(badges) for head in range(len(row))]
        now = st.session_state[key].get("off")
        if isinstance(now, list) and all(each in heads for each in now):  # anyone can send anything
            on_switch(frozenset((layer, head) for layer, head in now))

    _SWITCHBOARD(
        key=key,
        data={"badges": badge_data(badges), "off": sorted(map(list, off))},
        on_off_change=switched,
    )

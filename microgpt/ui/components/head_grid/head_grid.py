"""The browser component that shows small maps of all heads; a click picks one."""

from collections.abc import Callable

import streamlit as st

from microgpt.ui.components import component

_GRID = component("head_grid")
# A separate component, so that choosing another head does not send the images again.
_IMAGES = component("head_grid", "head_images")


def head_grid(
    key: str,
    labels: list[list[str]],
    layer: int | None,
    head: int | None,
    images: bytes,
    on_pick: Callable[[int | None, int | None], None],
) -> None:
    """Show a map for each head and for the means, with the chosen one marked.

    labels: the label under each head, by layer, empty for none. layer, head: the chosen map, from
    0; None for a mean. images: a PNG from charts.attention.attention_overview. on_pick: called with
    the layer and the head before the next run.
    """

    def picked() -> None:
        if place := st.session_state[key].get("picked"):
            on_pick(*place)

    with st.container(gap=None):
        _GRID(
            key=key,
            data={"labels": labels, "layer": layer, "head": head},
            on_picked_change=picked,
        )
        _IMAGES(key="head_images", data=images)
